export {
  SamovarError,
  type CallbackBody,
  type Duration,
  type ErrorCode,
  type TaskAttempt,
  type TaskChange,
  type TaskInfo,
  type TaskStatus,
} from "@samovar/protocol";
export { App } from "./app.ts";
export { BatchError, type Batch } from "./batch.ts";
export { Client, type ClientAppOptions, type ClientOptions } from "./client/client.ts";
export type { ClientFunction } from "./client/client-function.ts";
export type { ClientTask, ResultOptions } from "./client/client-task.ts";
export type { Remote } from "./client/client-types.ts";
export { context, type BuildCtx, type ContextLog, type Ctx, type DeployCtx, type ScheduleCtx, type StartCtx, type StopCtx } from "./context.ts";
export { onBuild, onDeploy, onStart, onStop } from "./decorators/hooks.ts";
export { method } from "./decorators/method.ts";
export type { MethodOptions } from "./decorators/decorator-types.ts";
export type { CallableOptions, HandlerOptions, ScheduleOptions } from "./definitions/callable-types.ts";
export type { ClassHandle, ClassOptions, ListedClassHandle, ListedClassOptions, MethodHandle } from "./definitions/class-types.ts";
export { cls } from "./definitions/cls.ts";
export { endpoint } from "./definitions/endpoint.ts";
export { fn } from "./definitions/fn.ts";
export { schedule } from "./definitions/schedule.ts";
export { taskQueue } from "./definitions/task-queue.ts";
export { env } from "./env.ts";
export type {
  CallOptions,
  EndpointHandle,
  FunctionHandle,
  MapOptions,
  QueueHandle,
  ScheduleHandle,
  StreamingEndpointHandle,
  StreamingHandle,
  UnaryEndpointHandle,
  UnaryHandle,
} from "./handles/handle-types.ts";
export { TaskHandle, type GetOptions } from "./handles/task-handle.ts";
export type { ScalingHandle } from "./handles/scaling-handle.ts";
export type { BatchOptions, CommonOptions, Cpu, Memory, Network, NetworkMode, RetryOptions } from "./options/option-types.ts";
export type { ScheduleTimes } from "./options/schedule-options.ts";
export type { PutManyOptions, PutOptions } from "./options/task-options.ts";
export type { AutoscalerOptions } from "./options/scaling-options.ts";
export { QueueDepthAutoscaler, type QueueDepthAutoscalerOptions } from "./options/queue-depth-autoscaler.ts";
export { verifyCallback, type CallbackRequest } from "./verify-callback.ts";
