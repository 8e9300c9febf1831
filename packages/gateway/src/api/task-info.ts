import type { TaskDetail, TaskInfo } from "@samovar/protocol";

/** A task as lists show it. */
export function toTaskInfo({
  result: _result,
  resultType: _type,
  resultBytes: _bytes,
  input: _input,
  reason: _reason,
  callback: _callback,
  ...info
}: TaskDetail): TaskInfo {
  return info;
}
