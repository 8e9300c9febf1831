import { z } from "zod";
import { SamovarError, show, type ScheduleInfo } from "@samovar/protocol";
import { describeNear } from "@samovar/kit";
import { assertApp, mayTouch, type Principal } from "../authenticator.ts";
import { defineRoute, type ApiContext, type ApiRoute } from "./api-route.ts";
import { ANY, DEPLOY, json, name } from "./route-parts.ts";
import { scheduleInfo } from "./task-schemas.ts";

const params = z.strictObject({ name });
const NOW = { status: 200, description: "The schedule as it is now", schema: scheduleInfo } as const;

export const SCHEDULE_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "get",
    path: "/schedules",
    operationId: "listSchedules",
    summary: "Schedules with their next runs",
    scopes: ANY,
    ofOneApp: true,
    answer: { status: 200, description: "Those that the token may see", schema: z.strictObject({ schedules: z.array(scheduleInfo) }) },
    handle: ({ control }, { principal }) => json({ schedules: control.schedules.list().filter(({ app }) => mayTouch(principal, app)) }),
  }),
  defineRoute({
    method: "get",
    path: "/schedules/{name}",
    operationId: "getSchedule",
    summary: "One schedule with its next runs",
    scopes: ANY,
    ofOneApp: true,
    params,
    answer: { status: 200, description: "The schedule", schema: scheduleInfo },
    handle: (context, { principal, params: { name } }) => json(findSchedule(context, principal, name)),
  }),
  defineRoute({
    method: "post",
    path: "/schedules/{name}/run",
    operationId: "runSchedule",
    summary: "Run a schedule once now, beside its ticks and whatever overlap says",
    scopes: ANY,
    ofOneApp: true,
    params,
    answer: { status: 202, description: "The task", schema: z.strictObject({ taskId: z.string() }) },
    async handle(context, { principal, params: { name } }) {
      return { status: 202, json: { taskId: await context.control.schedules.run(findSchedule(context, principal, name).name) } };
    },
  }),
  defineRoute({
    method: "post",
    path: "/schedules/{name}/pause",
    operationId: "pauseSchedule",
    summary: "No ticks until it is resumed",
    scopes: DEPLOY,
    ofOneApp: true,
    params,
    answer: NOW,
    handle: async (context, { principal, params: { name } }) => json(await context.control.schedules.pause(findSchedule(context, principal, name).name)),
  }),
  defineRoute({
    method: "post",
    path: "/schedules/{name}/resume",
    operationId: "resumeSchedule",
    summary: "Ticks again; those that passed meanwhile are not made up for",
    scopes: DEPLOY,
    ofOneApp: true,
    params,
    answer: NOW,
    handle: async (context, { principal, params: { name } }) => json(await context.control.schedules.resume(findSchedule(context, principal, name).name)),
  }),
];

/** A schedule is a deployment, and another app's is refused as one; but no names of other apps are told. */
function findSchedule({ control }: ApiContext, principal: Principal, name: string): ScheduleInfo {
  const all = control.schedules.list();
  const found = all.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (found) {
    assertApp(principal, found.app, `The schedule "${found.name}"`);
    return found;
  }
  const names = all.flatMap((each) => (mayTouch(principal, each.app) ? [each.name] : []));
  throw new SamovarError("not_found", `No schedule is named ${show(name)}${describeNear(name, names, "schedules")}`);
}
