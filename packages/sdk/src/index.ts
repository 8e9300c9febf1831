export { SamovarError, type Duration, type ErrorCode } from "@samovar/protocol";
export { App } from "./app.ts";
export { BatchError, type Batch } from "./batch.ts";
export { Client, type ClientAppOptions, type ClientOptions } from "./client/client.ts";
export type { Remote } from "./client/client-types.ts";
export { context, type BuildCtx, type ContextLog, type Ctx, type DeployCtx, type StartCtx, type StopCtx } from "./context.ts";
export { onBuild, onDeploy, onStart, onStop } from "./decorators/hooks.ts";
export { method } from "./decorators/method.ts";
export type { MethodOptions } from "./decorators/decorator-types.ts";
export type { CallableOptions } from "./definitions/callable-types.ts";
export type { ClassHandle, ClassOptions, ListedClassHandle, ListedClassOptions, MethodHandle } from "./definitions/class-types.ts";
export { cls } from "./definitions/cls.ts";
export { endpoint } from "./definitions/endpoint.ts";
export { fn } from "./definitions/fn.ts";
export { env } from "./env.ts";
export type {
  CallOptions,
  EndpointHandle,
  FunctionHandle,
  MapOptions,
  StreamingEndpointHandle,
  StreamingHandle,
  UnaryEndpointHandle,
  UnaryHandle,
} from "./handles/handle-types.ts";
export type { ScalingHandle } from "./handles/scaling-handle.ts";
export type { BatchOptions, CommonOptions, Cpu, Memory, Network, NetworkMode, RetryOptions } from "./options/option-types.ts";
export type { AutoscalerOptions } from "./options/scaling-options.ts";
export { QueueDepthAutoscaler, type QueueDepthAutoscalerOptions } from "./options/queue-depth-autoscaler.ts";
