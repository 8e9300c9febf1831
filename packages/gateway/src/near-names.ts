export { describeNear, nearNames } from "@samovar/kit";
