import type { Command } from "commander";
import type { JsonFlag, RestoreFlags, UpFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { driverOption, jsonOption, toPort } from "./options.ts";

/** The server itself: up, down, status, doctor, backup, restore. */
export function addServerCommands(program: Command, choose: Choose): void {
  program
    .command("up")
    .description("start a server that stays")
    .option("-d, --detach", "return when it is ready; it writes to logs/server.log in its home")
    .option("--port <port>", "port to listen on (default 8700)", toPort)
    .option("--host <address>", "address to listen on (default 127.0.0.1)")
    .option("--data <folder>", "folder of its state (default SAMOVAR_HOME)")
    .addOption(driverOption())
    .addHelpText("after", "\nExamples:\n  samovar up\n  samovar up -d --port 9000")
    .action((options: UpFlags) => choose(async (context) => (await import("../commands/up.ts")).up(context, options)));

  program
    .command("down")
    .description("stop the server: running inputs finish first; returns when it is gone")
    .addHelpText("after", "\nExample:\n  samovar down")
    .action(() => choose(async (context) => (await import("../commands/down.ts")).down(context)));

  program
    .command("status")
    .description("the server, and what this machine can't isolate or limit; exit code 1 when none runs")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar status --json")
    .action((options: JsonFlag) => choose(async (context) => (await import("../commands/status.ts")).status(context, options)));

  program
    .command("doctor")
    .description("what this machine can do, what is missing, and the command that mends it; works without a server")
    .addOption(jsonOption())
    .addHelpText("after", "\nThe exit code is 1 where nothing works until something is mended.\n\nExample:\n  samovar doctor")
    .action((options: JsonFlag) => choose(async (context) => (await import("../commands/doctor.ts")).doctor(context, options)));

  program
    .command("backup")
    .description("copy what the server has to a new file while it works: deployments with their code, tasks, schedules")
    .argument("<file>", "where, on the server's machine; nothing is overwritten")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
The file is a tar archive that only its owner can read. Containers, logs, caches and the admin token are not in it.

Example:
  samovar backup /var/backups/samovar-monday.tar`,
    )
    .action((file: string, options: JsonFlag) => choose(async (context) => (await import("../commands/backup.ts")).backup(context, { file, ...options })));

  program
    .command("restore")
    .description("make a backup the state of a home that no server holds")
    .argument("<file>", "what `samovar backup` wrote")
    .option("--data <folder>", "the home (default SAMOVAR_HOME)")
    .option("--force", "also where the home has a state; that is moved aside, not removed")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
The file is checked whole before anything is changed. What was running when it was written runs again, and so does what
ended after that.

Example:
  samovar down && samovar restore /var/backups/samovar-monday.tar --force && samovar up -d`,
    )
    .action((file: string, options: RestoreFlags) =>
      choose(async (context) => (await import("../commands/restore.ts")).restore(context, { file, ...options })),
    );
}
