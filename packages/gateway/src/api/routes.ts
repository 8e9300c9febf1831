import type { ApiRoute } from "./api-route.ts";
import { CALLBACK_ROUTES } from "./callback-routes.ts";
import { CONTAINER_ROUTES } from "./container-routes.ts";
import { DEPLOYMENT_ROUTES } from "./deployment-routes.ts";
import { FUNCTION_ROUTES } from "./function-routes.ts";
import { SERVER_ROUTES } from "./server-routes.ts";
import { SESSION_ROUTES } from "./session-routes.ts";
import { SCHEDULE_ROUTES } from "./schedule-routes.ts";
import { TASK_ROUTES } from "./task-routes.ts";
import { TOKEN_ROUTES } from "./token-routes.ts";

/** The control API, all of it: docs and router are made from this list. */
export const ROUTES: readonly ApiRoute[] = [
  ...SERVER_ROUTES,
  ...SESSION_ROUTES,
  ...FUNCTION_ROUTES,
  ...CONTAINER_ROUTES,
  ...DEPLOYMENT_ROUTES,
  ...TASK_ROUTES,
  ...SCHEDULE_ROUTES,
  ...CALLBACK_ROUTES,
  ...TOKEN_ROUTES,
];
