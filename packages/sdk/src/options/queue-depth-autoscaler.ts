export interface QueueDepthAutoscalerOptions {
  readonly minContainers?: number;
  readonly maxContainers?: number;
  readonly tasksPerContainer?: number;
}

/**
 * Scales by what is queued and running. The same as the three options by themselves; kept for those who know it.
 *
 * @example
 * export const resize = fn({ autoscaler: new QueueDepthAutoscaler({ maxContainers: 5, tasksPerContainer: 10 }) }, handler);
 */
export class QueueDepthAutoscaler {
  readonly options: QueueDepthAutoscalerOptions;

  constructor(options: QueueDepthAutoscalerOptions = {}) {
    this.options = options;
  }
}
