// The operator's page: what waits for this organisation, and how its node is.

import { roomSettings, RoomPage } from "../shared/room_page.js";
import { decisionView } from "./decision.js";
import { logView, machineView } from "./machine.js";
import { waitingView } from "./waiting.js";

const page = new RoomPage({
  root: document.getElementById("page"),
  settings: await roomSettings(),
  prefix: "operator",
  places: { waiting: waitingView, study: decisionView, machine: machineView, log: logView },
});
await page.start();
