// Names for the shapes of the API. schema.d.ts is generated from the OpenAPI document: npm run types.

import type { components } from "./schema";

type Schemas = components["schemas"];

export type App = Schemas["AppResponse"];
export type AppDetail = Schemas["AppDetail"];
export type Alert = Schemas["AlertResponse"];
export type AppliedSpec = Schemas["AppliedSpecResponse"];
export type Audit = Schemas["AuditEntryResponse"];
export type Call = Schemas["CallResponse"];
export type CallRecord = Schemas["CallRecord"];
export type Compared = Schemas["CallsCompared"];
export type Cron = Schemas["CronResponse"];
export type CronRun = Schemas["CronRunResponse"];
export type Database = Schemas["DatabaseResponse"];
export type Deployment = Schemas["DeploymentResponse"];
export type Destination = Schemas["DestinationResponse"];
export type Drift = Schemas["DriftResponse"];
export type Health = Schemas["HealthResponse"];
export type Job = Schemas["JobResponse"];
export type Login = Schemas["LoginResponse"];
export type Mark = Schemas["MarkResponse"];
export type Mistake = Schemas["MistakeResponse"];
export type Next = Schemas["NextResponse"];
export type OneOff = Schemas["OneOffResponse"];
export type Plan = Schemas["PlanResponse"];
export type ProblemBody = Schemas["ProblemDetails"];
export type Release = Schemas["ReleaseResponse"];
export type Schedule = Schemas["ScheduleResponse"];
export type ScheduleSummary = Schemas["ScheduleSummary"];
export type Secret = Schemas["SecretResponse"];
export type ServicePart = Schemas["ServicePartResponse"];
export type Setting = Schemas["SettingResponse"];
export type Snapshot = Schemas["SnapshotResponse"];
export type Span = Schemas["StateSpanListed"];
export type Step = Schemas["StepResponse"];
export type Tick = Schemas["TickResponse"];
export type Token = Schemas["TokenResponse"];
export type TokenMade = Schemas["TokenMade"];
export type Webhook = Schemas["WebhookResponse"];
export type Why = Schemas["Why"];
export type WhyPage = Schemas["WhyResponse"];
export type Work = Schemas["WorkAccepted"];
export type Worker = Schemas["WorkerResponse"];

export interface ListOf<T> {
  items: T[];
  next: string | null;
}

/** A fact as the stream reports it. */
export interface NornEvent {
  id: string;
  at: string;
  kind: string;
  app: string | null;
  job: number | null;
  seq: number | null;
  data: Record<string, unknown>;
}

/** A line that an app wrote, or a note of Norn in its log. */
export interface LogLine {
  source: string;
  line: string;
  at?: string;
  stream?: string;
}
