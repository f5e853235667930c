import { createRelay, MetricsObject, RoomObject } from "./edge/index.ts";

export { MetricsObject, RoomObject };
export default createRelay();
