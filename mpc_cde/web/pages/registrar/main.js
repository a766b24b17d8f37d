// The registrar's page: invite members, certify the keys that they made, countersign another registrar's, remind.

import { roomSettings, RoomPage } from "../shared/room_page.js";
import { certifyView } from "./certify.js";
import { countersignView } from "./countersign.js";
import { inviteView } from "./invite.js";
import { submittedView } from "./submitted.js";

const page = new RoomPage({
  root: document.getElementById("page"),
  settings: await roomSettings(),
  prefix: "registrar",
  places: { invite: inviteView, certify: certifyView, countersign: countersignView, submitted: submittedView },
});
await page.start();
