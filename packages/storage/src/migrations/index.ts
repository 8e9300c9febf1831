import { tokensAndContainers } from "./0001-tokens-and-containers.ts";
import { deployments } from "./0002-deployments.ts";
import { tasks } from "./0003-tasks.ts";
import { callbacksAndCalls } from "./0004-callbacks-and-calls.ts";
import { returnFacts } from "./0005-return-facts.ts";

/** In order: the n-th takes a file from schema n - 1 to schema n. What was released is never edited, only followed. */
export const MIGRATIONS: readonly string[] = [tokensAndContainers, deployments, tasks, callbacksAndCalls, returnFacts];
