CREATE TABLE "activity_revisions" (
	"organization_id" uuid NOT NULL,
	"activity_id" uuid NOT NULL,
	"n" integer NOT NULL,
	"editor" jsonb NOT NULL,
	"edited_at" timestamp with time zone DEFAULT now() NOT NULL,
	"data" jsonb,
	"subjects" jsonb,
	"occurred_at" timestamp with time zone,
	"reason" text,
	CONSTRAINT "activity_revisions_organization_id_activity_id_n_pk" PRIMARY KEY("organization_id","activity_id","n")
);
--> statement-breakpoint
CREATE TABLE "close_date_moves" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"before_on" text,
	"after_on" text,
	"slipped_days" integer NOT NULL,
	"moved_at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" jsonb NOT NULL,
	CONSTRAINT "close_date_moves_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "closings" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"outcome" text NOT NULL,
	"pipeline_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"stage_label" text NOT NULL,
	"from_stage_id" uuid NOT NULL,
	"from_stage_label" text NOT NULL,
	"discard_reason_id" uuid,
	"discard_reason_label" text,
	"note" text,
	"value_minor" bigint,
	"currency" text NOT NULL,
	"exchange_rate" double precision,
	"base_currency" text NOT NULL,
	"base_value_minor" bigint,
	"owner_id" uuid,
	"source" text,
	"closed_at" timestamp with time zone NOT NULL,
	"closed_by" jsonb NOT NULL,
	"reopened_at" timestamp with time zone,
	"reopened_by" jsonb,
	CONSTRAINT "closings_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "closings_outcome" CHECK (outcome in ('won', 'lost'))
);
--> statement-breakpoint
CREATE TABLE "discard_reasons" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"label" text NOT NULL,
	"description" text,
	"position" text NOT NULL,
	"retired_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "discard_reasons_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "exchange_rates" (
	"organization_id" uuid NOT NULL,
	"currency" text NOT NULL,
	"rate" double precision NOT NULL,
	"updated_by" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "exchange_rates_organization_id_currency_pk" PRIMARY KEY("organization_id","currency"),
	CONSTRAINT "exchange_rates_rate" CHECK (rate > 0),
	CONSTRAINT "exchange_rates_currency" CHECK (currency ~ '^[A-Z]{3}$')
);
--> statement-breakpoint
CREATE TABLE "milestones" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"milestone" text NOT NULL,
	"reached_at" timestamp with time zone NOT NULL,
	"actor" jsonb NOT NULL,
	CONSTRAINT "milestones_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "milestones_milestone" CHECK (milestone in ('sent_at', 'accepted_at', 'qualifying_started_at', 'qualified_at', 'scheduled_at', 'won_at', 'lost_at'))
);
--> statement-breakpoint
CREATE TABLE "stage_probabilities" (
	"organization_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"since" timestamp with time zone NOT NULL,
	"until" timestamp with time zone,
	"pipeline_id" uuid NOT NULL,
	"label" text NOT NULL,
	"kind" text NOT NULL,
	"close_probability" integer NOT NULL,
	"actor" jsonb NOT NULL,
	CONSTRAINT "stage_probabilities_organization_id_stage_id_since_pk" PRIMARY KEY("organization_id","stage_id","since")
);
--> statement-breakpoint
CREATE TABLE "stage_totals" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"pipeline_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"currency" text NOT NULL,
	"cards" bigint NOT NULL,
	"value_minor" bigint NOT NULL,
	CONSTRAINT "stage_totals_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "account_contacts" (
	"organization_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"contact_id" uuid NOT NULL,
	"role" text,
	"is_primary" boolean DEFAULT false NOT NULL,
	"linked_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "account_contacts_organization_id_account_id_contact_id_pk" PRIMARY KEY("organization_id","account_id","contact_id")
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"website" text,
	"domain" text,
	"phone" text,
	"phone_original" text,
	"description" text,
	"city" text,
	"state" text,
	"country" text,
	"owner_id" uuid,
	"lifecycle" text DEFAULT 'prospect' NOT NULL,
	"segment" text,
	"industry" text,
	"size" integer,
	"revenue_minor" bigint,
	"currency" text NOT NULL,
	"health" integer,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"source" text,
	"external_id" text,
	"archived_at" timestamp with time zone,
	"search_text" text GENERATED ALWAYS AS (lower(' ' || name || ' ' || coalesce(domain, '') || ' ' || coalesce(website, '') || ' ' || coalesce(phone, ''))) STORED,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "accounts_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "accounts_lifecycle" CHECK (lifecycle in ('prospect', 'customer', 'partner', 'former_customer', 'other')),
	CONSTRAINT "accounts_health" CHECK (health between 0 and 100),
	CONSTRAINT "accounts_size" CHECK (size >= 0),
	CONSTRAINT "accounts_currency" CHECK (currency ~ '^[A-Z]{3}$')
);
--> statement-breakpoint
CREATE TABLE "contacts" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"title" text,
	"email" text,
	"phone" text,
	"phone_original" text,
	"description" text,
	"city" text,
	"state" text,
	"country" text,
	"owner_id" uuid,
	"lifecycle" text DEFAULT 'lead' NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"source" text,
	"external_id" text,
	"archived_at" timestamp with time zone,
	"search_text" text GENERATED ALWAYS AS (lower(' ' || name || ' ' || coalesce(email, '') || ' ' || coalesce(phone, ''))) STORED,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "contacts_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "contacts_lifecycle" CHECK (lifecycle in ('lead', 'customer', 'partner', 'former_customer', 'other'))
);
--> statement-breakpoint
CREATE TABLE "opportunity_accounts" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"role" text,
	"is_primary" boolean DEFAULT false NOT NULL,
	"linked_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "opportunity_accounts_organization_id_opportunity_id_account_id_pk" PRIMARY KEY("organization_id","opportunity_id","account_id")
);
--> statement-breakpoint
CREATE TABLE "opportunity_contacts" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"contact_id" uuid NOT NULL,
	"role" text,
	"is_primary" boolean DEFAULT false NOT NULL,
	"linked_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "opportunity_contacts_organization_id_opportunity_id_contact_id_pk" PRIMARY KEY("organization_id","opportunity_id","contact_id")
);
--> statement-breakpoint
CREATE TABLE "custom_values" (
	"organization_id" uuid NOT NULL,
	"record_id" uuid NOT NULL,
	"field_id" uuid NOT NULL,
	"n" integer DEFAULT 0 NOT NULL,
	"text_value" text,
	"long_value" text,
	"number_value" double precision,
	"date_value" date,
	CONSTRAINT "custom_values_organization_id_record_id_field_id_n_pk" PRIMARY KEY("organization_id","record_id","field_id","n")
);
--> statement-breakpoint
CREATE TABLE "fields" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"record_kind" text NOT NULL,
	"key" text NOT NULL,
	"label" text NOT NULL,
	"description" text,
	"type" text NOT NULL,
	"options" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"position" text NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "fields_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "fields_record_kind" CHECK (record_kind in ('lead', 'deal', 'account', 'contact')),
	CONSTRAINT "fields_type" CHECK (type in ('short_text', 'long_text', 'integer', 'decimal', 'date', 'select', 'multi_select'))
);
--> statement-breakpoint
CREATE TABLE "preferences" (
	"organization_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"key" text NOT NULL,
	"value" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "preferences_organization_id_user_id_key_pk" PRIMARY KEY("organization_id","user_id","key")
);
--> statement-breakpoint
CREATE TABLE "views" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"record_kind" text NOT NULL,
	"filter" jsonb,
	"sort" text,
	"columns" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"layout" text,
	"pipeline_id" uuid,
	"shared" boolean DEFAULT false NOT NULL,
	"owner_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "views_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "file_chunks" (
	"organization_id" uuid NOT NULL,
	"file_id" uuid NOT NULL,
	"n" integer NOT NULL,
	"bytes" "bytea" NOT NULL,
	CONSTRAINT "file_chunks_organization_id_file_id_n_pk" PRIMARY KEY("organization_id","file_id","n")
);
--> statement-breakpoint
CREATE TABLE "files" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"subject_kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"name" text NOT NULL,
	"media_type" text NOT NULL,
	"size" bigint NOT NULL,
	"sha256" text NOT NULL,
	"uploaded_by" jsonb NOT NULL,
	"text_status" text DEFAULT 'pending' NOT NULL,
	"text_error" text,
	"extracted_text" text,
	"summary" jsonb,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "files_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "bulk_jobs" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"record_kind" text NOT NULL,
	"act" text NOT NULL,
	"input" jsonb NOT NULL,
	"selection" jsonb NOT NULL,
	"dry_run" boolean NOT NULL,
	"status" text DEFAULT 'queued' NOT NULL,
	"total" integer DEFAULT 0 NOT NULL,
	"done" integer DEFAULT 0 NOT NULL,
	"counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"undo_of" uuid,
	"undone_by" uuid,
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
	CONSTRAINT "bulk_jobs_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "bulk_jobs_status" CHECK (status in ('queued', 'running', 'done', 'failed', 'cancelled', 'undone'))
);
--> statement-breakpoint
CREATE TABLE "bulk_rows" (
	"organization_id" uuid NOT NULL,
	"bulk_id" uuid NOT NULL,
	"n" integer NOT NULL,
	"record_id" uuid NOT NULL,
	"result" text DEFAULT 'waiting' NOT NULL,
	"problem" jsonb,
	"changes" jsonb,
	"activity_ids" uuid[] DEFAULT '{}' NOT NULL,
	CONSTRAINT "bulk_rows_organization_id_bulk_id_n_pk" PRIMARY KEY("organization_id","bulk_id","n")
);
--> statement-breakpoint
ALTER TABLE "identity"."api_keys" ADD COLUMN "rate_limit_per_minute" integer DEFAULT 600000 NOT NULL;--> statement-breakpoint
ALTER TABLE "opportunities" ADD COLUMN "expected_close_slips" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "opportunities" ADD COLUMN "exchange_rate" double precision;--> statement-breakpoint
ALTER TABLE "opportunities" ADD COLUMN "base_value_minor" bigint;--> statement-breakpoint
ALTER TABLE "opportunities" ADD COLUMN "discard_note" text;--> statement-breakpoint
ALTER TABLE "opportunities" ADD COLUMN "told_stuck_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "opportunities" ADD COLUMN "search_text" text GENERATED ALWAYS AS (lower(' ' || name || ' ' || coalesce(contact_name, '') || ' ' || coalesce(company_name, '') || ' ' || coalesce(email, '') || ' ' || coalesce(phone, '') || ' ' || coalesce(website, ''))) STORED;--> statement-breakpoint
ALTER TABLE "agents" ADD COLUMN "triggers" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "remind_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "reminded_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "recurrence" jsonb;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "repeats_id" uuid;--> statement-breakpoint
ALTER TABLE "activity_revisions" ADD CONSTRAINT "activity_revisions_activity" FOREIGN KEY ("organization_id","activity_id") REFERENCES "public"."activities"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "close_date_moves" ADD CONSTRAINT "close_date_moves_card" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "closings" ADD CONSTRAINT "closings_card" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "milestones" ADD CONSTRAINT "milestones_card" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "account_contacts" ADD CONSTRAINT "account_contacts_company" FOREIGN KEY ("organization_id","account_id") REFERENCES "public"."accounts"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "account_contacts" ADD CONSTRAINT "account_contacts_person" FOREIGN KEY ("organization_id","contact_id") REFERENCES "public"."contacts"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "opportunity_accounts" ADD CONSTRAINT "opportunity_accounts_opportunity" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "opportunity_accounts" ADD CONSTRAINT "opportunity_accounts_company" FOREIGN KEY ("organization_id","account_id") REFERENCES "public"."accounts"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "opportunity_contacts" ADD CONSTRAINT "opportunity_contacts_opportunity" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "opportunity_contacts" ADD CONSTRAINT "opportunity_contacts_person" FOREIGN KEY ("organization_id","contact_id") REFERENCES "public"."contacts"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "custom_values" ADD CONSTRAINT "custom_values_field" FOREIGN KEY ("organization_id","field_id") REFERENCES "public"."fields"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "file_chunks" ADD CONSTRAINT "file_chunks_file" FOREIGN KEY ("organization_id","file_id") REFERENCES "public"."files"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bulk_rows" ADD CONSTRAINT "bulk_rows_job" FOREIGN KEY ("organization_id","bulk_id") REFERENCES "public"."bulk_jobs"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "close_date_moves_opportunity" ON "close_date_moves" USING btree ("organization_id","opportunity_id","id");--> statement-breakpoint
CREATE INDEX "closings_opportunity" ON "closings" USING btree ("organization_id","opportunity_id","id");--> statement-breakpoint
CREATE INDEX "closings_closed" ON "closings" USING btree ("organization_id","outcome","closed_at");--> statement-breakpoint
CREATE UNIQUE INDEX "closings_one_standing" ON "closings" USING btree ("organization_id","opportunity_id") WHERE reopened_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "discard_reasons_label" ON "discard_reasons" USING btree ("organization_id","label") WHERE retired_at is null;--> statement-breakpoint
CREATE INDEX "milestones_opportunity" ON "milestones" USING btree ("organization_id","opportunity_id","id");--> statement-breakpoint
CREATE INDEX "stage_probabilities_pipeline" ON "stage_probabilities" USING btree ("organization_id","pipeline_id","since");--> statement-breakpoint
CREATE INDEX "stage_totals_pipeline" ON "stage_totals" USING btree ("organization_id","pipeline_id","stage_id","currency","cards","value_minor");--> statement-breakpoint
CREATE INDEX "account_contacts_contact" ON "account_contacts" USING btree ("organization_id","contact_id","account_id");--> statement-breakpoint
CREATE UNIQUE INDEX "account_contacts_primary" ON "account_contacts" USING btree ("organization_id","contact_id") WHERE is_primary;--> statement-breakpoint
CREATE INDEX "accounts_created" ON "accounts" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "accounts_name" ON "accounts" USING btree ("organization_id","name","id");--> statement-breakpoint
CREATE INDEX "accounts_owner" ON "accounts" USING btree ("organization_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "accounts_domain" ON "accounts" USING btree ("organization_id","domain") WHERE domain is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "accounts_external" ON "accounts" USING btree ("organization_id","external_id") WHERE external_id is not null and archived_at is null;--> statement-breakpoint
CREATE INDEX "contacts_created" ON "contacts" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "contacts_name" ON "contacts" USING btree ("organization_id","name","id");--> statement-breakpoint
CREATE INDEX "contacts_owner" ON "contacts" USING btree ("organization_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "contacts_email" ON "contacts" USING btree ("organization_id","email") WHERE email is not null;--> statement-breakpoint
CREATE INDEX "contacts_phone" ON "contacts" USING btree ("organization_id","phone") WHERE phone is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "contacts_external" ON "contacts" USING btree ("organization_id","external_id") WHERE external_id is not null and archived_at is null;--> statement-breakpoint
CREATE INDEX "opportunity_accounts_account" ON "opportunity_accounts" USING btree ("organization_id","account_id","opportunity_id");--> statement-breakpoint
CREATE UNIQUE INDEX "opportunity_accounts_primary" ON "opportunity_accounts" USING btree ("organization_id","opportunity_id") WHERE is_primary;--> statement-breakpoint
CREATE INDEX "opportunity_contacts_contact" ON "opportunity_contacts" USING btree ("organization_id","contact_id","opportunity_id");--> statement-breakpoint
CREATE UNIQUE INDEX "opportunity_contacts_primary" ON "opportunity_contacts" USING btree ("organization_id","opportunity_id") WHERE is_primary;--> statement-breakpoint
CREATE INDEX "custom_values_text" ON "custom_values" USING btree ("organization_id","field_id","text_value","record_id") WHERE text_value is not null;--> statement-breakpoint
CREATE INDEX "custom_values_number" ON "custom_values" USING btree ("organization_id","field_id","number_value","record_id") WHERE number_value is not null;--> statement-breakpoint
CREATE INDEX "custom_values_date" ON "custom_values" USING btree ("organization_id","field_id","date_value","record_id") WHERE date_value is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "fields_key" ON "fields" USING btree ("organization_id","record_kind","key");--> statement-breakpoint
CREATE INDEX "views_kind" ON "views" USING btree ("organization_id","record_kind","name","id");--> statement-breakpoint
CREATE INDEX "files_subject" ON "files" USING btree ("organization_id","subject_kind","subject_id","id");--> statement-breakpoint
CREATE INDEX "files_unread" ON "files" USING btree ("created_at") WHERE text_status = 'pending';--> statement-breakpoint
CREATE INDEX "bulk_jobs_status" ON "bulk_jobs" USING btree ("organization_id","status","id");--> statement-breakpoint
CREATE INDEX "bulk_jobs_due" ON "bulk_jobs" USING btree ("lease_until") WHERE status in ('queued', 'running');--> statement-breakpoint
DROP INDEX "opportunity_scores_score";--> statement-breakpoint
CREATE INDEX "opportunity_scores_score" ON "opportunity_scores" USING btree ("organization_id","score","opportunity_id");--> statement-breakpoint
CREATE INDEX "opportunities_stage_entered" ON "opportunities" USING btree ("organization_id","stage_id","stage_entered_at");--> statement-breakpoint
CREATE INDEX "opportunities_stuck_untold" ON "opportunities" USING btree ("organization_id","stage_id","stage_entered_at") WHERE archived_at is null and told_stuck_since is distinct from stage_entered_at;--> statement-breakpoint
CREATE INDEX "opportunities_updated" ON "opportunities" USING btree ("organization_id","kind","updated_at","id");--> statement-breakpoint
CREATE INDEX "opportunities_name" ON "opportunities" USING btree ("organization_id","kind","name","id");--> statement-breakpoint
CREATE INDEX "opportunities_value" ON "opportunities" USING btree ("organization_id","kind","value_minor","id") WHERE value_minor is not null;--> statement-breakpoint
CREATE INDEX "opportunities_expected_close" ON "opportunities" USING btree ("organization_id","kind","expected_close_on","id") WHERE expected_close_on is not null;--> statement-breakpoint
CREATE INDEX "opportunities_source_lead" ON "opportunities" USING btree ("organization_id","source_lead_id") WHERE source_lead_id is not null;--> statement-breakpoint
CREATE INDEX "tasks_assignee" ON "tasks" USING btree ("organization_id","assignee_kind","assignee_id","status","due_at");--> statement-breakpoint
CREATE INDEX "tasks_reminder" ON "tasks" USING btree ("remind_at") WHERE reminded_at is null and remind_at is not null and status = 'open' and archived_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "tasks_repeats" ON "tasks" USING btree ("organization_id","repeats_id") WHERE repeats_id is not null;--> statement-breakpoint
CREATE INDEX "activities_type" ON "activities" USING btree ("organization_id","type","id");--> statement-breakpoint
ALTER TABLE "opportunities" ADD CONSTRAINT "opportunities_forecast_category" CHECK (forecast_category in ('commit', 'best_case', 'pipeline', 'omitted'));