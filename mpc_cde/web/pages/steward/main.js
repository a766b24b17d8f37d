// The steward's page: studies of the community, and a new one from a template.

import { roomSettings, RoomPage } from "../shared/room_page.js";
import { newStudyView } from "./new_study.js";
import { studiesView } from "./studies.js";

const page = new RoomPage({
  root: document.getElementById("page"),
  settings: await roomSettings(),
  prefix: "steward",
  places: { studies: studiesView, new: newStudyView },
});
await page.start();
