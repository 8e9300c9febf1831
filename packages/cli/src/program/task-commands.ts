import { Option, type Command } from "commander";
import type { JsonFlag, TaskChangeFlags, TaskGetFlags, TaskListFlags, TaskPutFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption } from "./options.ts";
import { addTaskFilter, failedOption, limitOption, toDelayMs, toHeadStartMs, toTaskKey, toTtlMs, waitOption } from "./task-options.ts";

/** Work that is queued: task list, get, put, cancel, retry, logs. */
export function addTaskCommands(program: Command, choose: Choose): void {
  const task = program.command("task").description("list and follow tasks, put new ones, cancel them, try them again");

  addTaskFilter(task.command("list").description("tasks, newest first; --failed shows those that failed for good"))
    .addOption(failedOption())
    .addOption(new Option("--queued", "only what is queued, no calls"))
    .addOption(new Option("--calls", "only calls that were answered lately; with --failed those that failed").conflicts("queued"))
    .addOption(limitOption())
    .addOption(new Option("-f, --follow", "in place of a list, every change from now on, until Ctrl-C").conflicts(["since", "limit", "queued", "calls"]))
    .addOption(jsonOption("JSON in place of text; with --follow one object for each change"))
    .addHelpText("after", "\nExamples:\n  samovar task list --function transcribe --since 1h\n  samovar task list --failed\n  samovar task list --follow")
    .action((options: TaskListFlags) => choose(async (context) => (await import("../commands/task-list.ts")).taskList(context, options)));

  task
    .command("get")
    .description("one task: its attempts, what it waits for, its input, result and callback")
    .argument("<id>", "the task's id")
    .addOption(waitOption())
    .option("-f, --follow", "show its changes as they come, until it is over")
    .addOption(new Option("--result", "print its result alone and whole: a line of JSON, or bytes as they are").conflicts(["follow", "json"]))
    .addOption(jsonOption("JSON in place of text; with --follow one object for each change"))
    .addHelpText(
      "after",
      "\nID is whole, as `samovar task list` shows it. With --wait, --follow or --result the exit code is 1 unless the task completed.\n\nExamples:\n  samovar task get ID\n  samovar task get ID --wait 30s --json\n  samovar task get ID --result > result.json",
    )
    .action((id: string, options: TaskGetFlags) => choose(async (context) => (await import("../commands/task-get.ts")).taskGet(context, { id, ...options })));

  task
    .command("put")
    .description("queue an input for a function; prints the task's id when it is on disk")
    .argument("<name>", "the function's name, or NAME.METHOD of a class")
    .option("--input <json>", "the input: JSON, - for stdin, @FILE for a file")
    .option("--with <json>", "a class's constructor parameters: a JSON array, or one value")
    .addOption(new Option("--delay <duration>", "not before so long").argParser(toDelayMs))
    .addOption(new Option("--priority <duration>", "a head start over other tasks, as if it had come so much earlier").argParser(toHeadStartMs))
    .addOption(new Option("--ttl <duration>", "it expires when it has not begun by then").argParser(toTtlMs))
    .addOption(new Option("--key <key>", "the same key within 24 h is the same task").argParser(toTaskKey))
    .addOption(new Option("--concurrency-key <key>", "tasks of one key run one after another").argParser(toTaskKey))
    .addOption(waitOption("wait until it is over, or for so long, and print its result"))
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  samovar task put transcribe --input '{"url":"https://example.com/a.mp3"}'
  samovar task put transcribe --input @job.json --delay 5m --key job-17
  samovar task put transcribe --input @job.json --wait`,
    )
    .action((name: string, options: TaskPutFlags) =>
      choose(async (context) => (await import("../commands/task-put.ts")).taskPut(context, { name, ...options })),
    );

  addTaskFilter(task.command("cancel").description("cancel tasks that are not over, by id or all that match").argument("[ids...]", "ids of tasks"))
    .option("-y, --yes", "don't ask before many are changed")
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  samovar task cancel ID\n  samovar task cancel --function transcribe --status PENDING")
    .action((ids: string[], options: TaskChangeFlags) =>
      choose(async (context) => (await import("../commands/task-change.ts")).taskChange(context, "cancel", { ids, ...options })),
    );

  addTaskFilter(task.command("retry").description("queue tasks once more, by id or all that match").argument("[ids...]", "ids of tasks"))
    .addOption(failedOption())
    .option("-y, --yes", "don't ask before many are changed")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nWithout ids and without --status, those that failed are meant: ERROR and TIMEOUT.\n\nExamples:\n  samovar task retry ID\n  samovar task retry --failed --function transcribe --since 1d",
    )
    .action((ids: string[], options: TaskChangeFlags) =>
      choose(async (context) => (await import("../commands/task-change.ts")).taskChange(context, "retry", { ids, ...options })),
    );

  task
    .command("logs")
    .description("what was logged while a task ran, in all of its attempts")
    .argument("<id>", "the task's id")
    .option("-f, --follow", "go on with lines as they come, until it is over")
    .addOption(jsonOption("one JSON object for each line"))
    .addHelpText("after", "\nExample:\n  samovar task logs -f ID")
    .action((id: string, options: JsonFlag & { follow?: boolean }) =>
      choose(async (context) => (await import("../commands/task-logs.ts")).taskLogs(context, { id, ...options })),
    );
}
