import type { PutTask, PutTasksResponse, TaskDetail, TaskInfo, TaskPage, TaskStatus } from "@samovar/protocol";
import { TestHome } from "./test-home.fixture.ts";

/** A home with a server that stays, and what is asked of it about tasks. */
export class TestTasks {
  readonly home: TestHome;

  private constructor(home: TestHome) {
    this.home = home;
  }

  static async create(env: Readonly<Record<string, string>> = {}): Promise<TestTasks> {
    const home = await TestHome.create();
    await home.ok(["up", "-d", "--port", "0"], env);
    return new TestTasks(home);
  }

  /** Of a home whose server is up. */
  static of(home: TestHome): TestTasks {
    return new TestTasks(home);
  }

  async deploy(source: string): Promise<void> {
    this.home.write("app.js", source);
    await this.home.ok(["deploy", "app.js", "--env", `LIFELINE=${this.home.lifelines.port}`]);
  }

  /** Ids in the order of the tasks; all in one request. */
  async put(name: string, ...tasks: readonly PutTask[]): Promise<readonly string[]> {
    const { status, json, text } = await this.home.call(`/api/v1/functions/${name}/tasks`, { tasks });
    if (status !== 202) throw new Error(`${name} took no task: ${status} ${text}`);
    return (json as PutTasksResponse).tasks.map(({ id }) => id);
  }

  async get(id: string, query = ""): Promise<TaskDetail> {
    const { status, json, text } = await this.home.call(`/api/v1/tasks/${id}${query}`, undefined, { method: "GET" });
    if (status !== 200) throw new Error(`The task ${id} could not be read: ${status} ${text}`);
    return json as TaskDetail;
  }

  /** When nothing more happens to it. */
  async over(id: string): Promise<TaskDetail> {
    const task = await this.get(id, "?wait=60s");
    if (task.endedAtMs === null) throw new Error(`The task ${id} is ${task.status} after a minute (${task.reason}): ${JSON.stringify(task.attempts)}`);
    return task;
  }

  async list(query: string): Promise<readonly TaskInfo[]> {
    return ((await this.home.call(`/api/v1/tasks?${query}`, undefined, { method: "GET" })).json as TaskPage).tasks;
  }

  /** Resolves when what it waits for reads like this: each start that fails is told in another way. */
  async says(id: string, pattern: RegExp): Promise<void> {
    for (;;) {
      const { reason, status } = await this.get(id, "?wait=100ms");
      if (pattern.test(reason ?? "")) return;
      if (status !== "PENDING") throw new Error(`The task ${id} is ${status}, and was to wait with a reason like ${String(pattern)}`);
    }
  }

  /** Resolves when it is, or was meanwhile, at this status. */
  async reaches(id: string, wanted: TaskStatus): Promise<void> {
    const response = await this.home.fetch(`/api/v1/tasks/${id}`, undefined, { method: "GET", headers: { accept: "text/event-stream" } });
    let seen = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      seen += chunk;
      if (seen.includes(`"status":"${wanted}"`)) return;
    }
    throw new Error(`The task ${id} ended without ${wanted}: ${seen}`);
  }
}
