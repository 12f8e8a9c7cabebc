CREATE TABLE "score_changes" (
	"organization_id" uuid NOT NULL,
	"job_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"score_before" integer NOT NULL,
	"score_after" integer NOT NULL,
	"verdict_before" text NOT NULL,
	"verdict_after" text NOT NULL,
	"magnitude" integer NOT NULL,
	CONSTRAINT "score_changes_organization_id_job_id_opportunity_id_pk" PRIMARY KEY("organization_id","job_id","opportunity_id")
);
--> statement-breakpoint
CREATE TABLE "score_formulas" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"number" integer NOT NULL,
	"name" text NOT NULL,
	"definition" jsonb NOT NULL,
	"time_dependent" boolean DEFAULT false NOT NULL,
	"definition_hash" text NOT NULL,
	"status" text DEFAULT 'draft' NOT NULL,
	"created_by" jsonb NOT NULL,
	"activated_at" timestamp with time zone,
	"activated_by" jsonb,
	"retired_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "score_formulas_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "score_formulas_status" CHECK (status in ('draft', 'active', 'retired'))
);
--> statement-breakpoint
CREATE TABLE "score_jobs" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"kind" text NOT NULL,
	"formula_id" uuid,
	"definition_hash" text NOT NULL,
	"definition" jsonb,
	"trigger" text,
	"status" text DEFAULT 'queued' NOT NULL,
	"total" integer DEFAULT 0 NOT NULL,
	"done" integer DEFAULT 0 NOT NULL,
	"cursor" uuid,
	"counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"result" jsonb,
	"error" text,
	"requested_by" jsonb NOT NULL,
	"on_behalf_of" jsonb,
	"cancel_requested_at" timestamp with time zone,
	"lease_until" timestamp with time zone,
	"fence" integer DEFAULT 0 NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "score_jobs_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "score_jobs_kind" CHECK (kind in ('backtest', 'recompute')),
	CONSTRAINT "score_jobs_status" CHECK (status in ('queued', 'running', 'done', 'failed', 'cancelled'))
);
--> statement-breakpoint
ALTER TABLE "score_changes" ADD CONSTRAINT "score_changes_job" FOREIGN KEY ("organization_id","job_id") REFERENCES "public"."score_jobs"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "score_changes_magnitude" ON "score_changes" USING btree ("organization_id","job_id","magnitude","opportunity_id");--> statement-breakpoint
CREATE UNIQUE INDEX "score_formulas_number" ON "score_formulas" USING btree ("organization_id","number");--> statement-breakpoint
CREATE UNIQUE INDEX "score_formulas_one_active" ON "score_formulas" USING btree ("organization_id") WHERE status = 'active';--> statement-breakpoint
CREATE INDEX "score_jobs_formula" ON "score_jobs" USING btree ("organization_id","formula_id","kind","id");--> statement-breakpoint
CREATE INDEX "score_jobs_status" ON "score_jobs" USING btree ("organization_id","status","id");--> statement-breakpoint
CREATE INDEX "score_jobs_due" ON "score_jobs" USING btree ("lease_until") WHERE status in ('queued', 'running');