CREATE SCHEMA "identity";
--> statement-breakpoint
CREATE TABLE "identity"."api_keys" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"user_id" uuid NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "identity"."credentials" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"access_token_expires_at" timestamp with time zone,
	"refresh_token_expires_at" timestamp with time zone,
	"scope" text,
	"id_token" text,
	"password" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "identity"."invitations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"email" text NOT NULL,
	"role" text,
	"status" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"inviter_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "identity"."members" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "identity"."organizations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"slug" text NOT NULL,
	"logo" text,
	"metadata" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "organizations_slug_unique" UNIQUE("slug")
);
--> statement-breakpoint
CREATE TABLE "identity"."rate_limits" (
	"id" uuid PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"count" integer NOT NULL,
	"last_request" bigint NOT NULL,
	CONSTRAINT "rate_limits_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE TABLE "identity"."sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"token" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"active_organization_id" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "sessions_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "identity"."tokens" (
	"hash" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"organization_id" uuid NOT NULL,
	"principal" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "identity"."users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "identity"."verifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "enrichments" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"website" text NOT NULL,
	"summary" text NOT NULL,
	"facts" jsonb NOT NULL,
	"pages" jsonb NOT NULL,
	"run_id" uuid,
	"read_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "enrichments_organization_id_opportunity_id_pk" PRIMARY KEY("organization_id","opportunity_id")
);
--> statement-breakpoint
CREATE TABLE "notes" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"body" text NOT NULL,
	"subject_kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"author" jsonb NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "notes_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "opportunities" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"contact_name" text,
	"company_name" text,
	"title" text,
	"email" text,
	"phone" text,
	"phone_original" text,
	"website" text,
	"city" text,
	"state" text,
	"country" text,
	"industry" text,
	"message" text,
	"pipeline_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"stage_entered_at" timestamp with time zone DEFAULT now() NOT NULL,
	"position" text NOT NULL,
	"owner_id" uuid,
	"source" text,
	"campaign" text,
	"campaign_id" uuid,
	"landing_page" text,
	"origin" jsonb NOT NULL,
	"value_minor" bigint,
	"currency" text NOT NULL,
	"forecast_category" text,
	"expected_close_on" date,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"extra" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"warnings" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"sent_at" timestamp with time zone,
	"accepted_at" timestamp with time zone,
	"qualifying_started_at" timestamp with time zone,
	"qualified_at" timestamp with time zone,
	"scheduled_at" timestamp with time zone,
	"won_at" timestamp with time zone,
	"lost_at" timestamp with time zone,
	"discard_reason_id" uuid,
	"source_lead_id" uuid,
	"external_id" text,
	"agents_paused" boolean DEFAULT false NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "opportunities_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "opportunities_kind" CHECK (kind in ('lead', 'deal')),
	CONSTRAINT "opportunities_currency" CHECK (currency ~ '^[A-Z]{3}$')
);
--> statement-breakpoint
CREATE TABLE "opportunity_keys" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"value" text NOT NULL,
	CONSTRAINT "opportunity_keys_organization_id_kind_value_opportunity_id_pk" PRIMARY KEY("organization_id","kind","value","opportunity_id")
);
--> statement-breakpoint
CREATE TABLE "opportunity_scores" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"score" integer NOT NULL,
	"reasons" jsonb NOT NULL,
	"formula" text NOT NULL,
	"verdict" text,
	"verdict_reason" text,
	"scored_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "opportunity_scores_organization_id_opportunity_id_pk" PRIMARY KEY("organization_id","opportunity_id"),
	CONSTRAINT "opportunity_scores_range" CHECK (score between 0 and 100)
);
--> statement-breakpoint
CREATE TABLE "pipelines" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"record_kind" text NOT NULL,
	"lost_reason" text DEFAULT 'required' NOT NULL,
	"is_default" boolean DEFAULT false NOT NULL,
	"template" text,
	"position" text NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "pipelines_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "pipelines_record_kind" CHECK (record_kind in ('lead', 'deal')),
	CONSTRAINT "pipelines_lost_reason" CHECK (lost_reason in ('required', 'optional'))
);
--> statement-breakpoint
CREATE TABLE "record_origins" (
	"organization_id" uuid NOT NULL,
	"record_kind" text NOT NULL,
	"record_id" uuid NOT NULL,
	"field" text NOT NULL,
	"origin" jsonb NOT NULL,
	"tainted" boolean NOT NULL,
	"set_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "record_origins_organization_id_record_kind_record_id_field_pk" PRIMARY KEY("organization_id","record_kind","record_id","field")
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"organization_id" uuid PRIMARY KEY NOT NULL,
	"ai_enabled" boolean DEFAULT true NOT NULL,
	"currency" text DEFAULT 'EUR' NOT NULL,
	"default_country" text,
	"timezone" text DEFAULT 'UTC' NOT NULL,
	"business_hours" jsonb NOT NULL,
	"sender_name" text,
	"model_prices" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "stages" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"pipeline_id" uuid NOT NULL,
	"label" text NOT NULL,
	"description" text,
	"kind" text NOT NULL,
	"position" integer NOT NULL,
	"color" text DEFAULT 'neutral' NOT NULL,
	"close_probability" integer NOT NULL,
	"rot_days" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "stages_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "stages_of_pipeline" UNIQUE("organization_id","pipeline_id","id"),
	CONSTRAINT "stages_kind" CHECK (kind in ('open', 'won', 'lost')),
	CONSTRAINT "stages_probability" CHECK ((kind = 'open' and close_probability between 1 and 99) or (kind = 'won' and close_probability = 100) or (kind = 'lost' and close_probability = 0))
);
--> statement-breakpoint
CREATE TABLE "task_subjects" (
	"organization_id" uuid NOT NULL,
	"task_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	CONSTRAINT "task_subjects_organization_id_task_id_kind_subject_id_pk" PRIMARY KEY("organization_id","task_id","kind","subject_id")
);
--> statement-breakpoint
CREATE TABLE "tasks" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"title" text NOT NULL,
	"description" text,
	"status" text DEFAULT 'open' NOT NULL,
	"priority" text DEFAULT 'normal' NOT NULL,
	"due_at" timestamp with time zone,
	"assignee_kind" text,
	"assignee_id" text,
	"created_by" jsonb NOT NULL,
	"completed_at" timestamp with time zone,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "tasks_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "tasks_status" CHECK (status in ('open', 'done', 'cancelled')),
	CONSTRAINT "tasks_priority" CHECK (priority in ('low', 'normal', 'high', 'urgent'))
);
--> statement-breakpoint
CREATE TABLE "activities" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"type" text NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"actor_kind" text NOT NULL,
	"actor_id" text NOT NULL,
	"actor_name" text NOT NULL,
	"actor_version" text,
	"on_behalf_of" jsonb,
	"reason" text,
	"run_id" uuid,
	"approval_id" uuid,
	"subjects" jsonb NOT NULL,
	"record_version" integer,
	"data" jsonb NOT NULL,
	"salt" text,
	"payload_hash" text NOT NULL,
	"seq" bigint,
	"key_id" text,
	"hash" text,
	"undone_by" uuid,
	CONSTRAINT "activities_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "activity_subjects" (
	"organization_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"activity_id" uuid NOT NULL,
	CONSTRAINT "activity_subjects_organization_id_kind_subject_id_activity_id_pk" PRIMARY KEY("organization_id","kind","subject_id","activity_id")
);
--> statement-breakpoint
CREATE TABLE "audit_heads" (
	"organization_id" uuid PRIMARY KEY NOT NULL,
	"seq" bigint NOT NULL,
	"hash" text NOT NULL,
	"sealed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "intake_sources" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"kind" text DEFAULT 'webhook' NOT NULL,
	"token_prefix" text NOT NULL,
	"token_hash" text NOT NULL,
	"signature_required" boolean DEFAULT false NOT NULL,
	"signing_secret" text,
	"previous_secret" text,
	"previous_secret_until" timestamp with time zone,
	"mapping" jsonb,
	"defaults" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"pipeline_id" uuid,
	"wake_agent" boolean DEFAULT true NOT NULL,
	"rate_limit_per_minute" integer DEFAULT 600000 NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "intake_sources_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "submissions" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"source_id" uuid,
	"door" text NOT NULL,
	"delivery_id" text,
	"content_type" text,
	"raw" "bytea" NOT NULL,
	"payload" jsonb NOT NULL,
	"status" text NOT NULL,
	"problem" jsonb,
	"lead_id" uuid,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"processed_at" timestamp with time zone,
	CONSTRAINT "submissions_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "agents" (
	"organization_id" uuid NOT NULL,
	"name" text NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"model" text,
	"budget" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "agents_organization_id_name_pk" PRIMARY KEY("organization_id","name")
);
--> statement-breakpoint
CREATE TABLE "approvals" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"tool" text NOT NULL,
	"summary" text NOT NULL,
	"input" jsonb NOT NULL,
	"proposed_input" jsonb,
	"reason" text,
	"evidence" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"subject_kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"purpose" text,
	"proposed_by" jsonb NOT NULL,
	"run_id" uuid,
	"rule" text NOT NULL,
	"risk" text NOT NULL,
	"arguments_hash" text NOT NULL,
	"read_set" jsonb NOT NULL,
	"stale_because" jsonb,
	"expires_at" timestamp with time zone NOT NULL,
	"decided_by" jsonb,
	"decided_at" timestamp with time zone,
	"decision_code" text,
	"decision_reason" text,
	"attempts" integer DEFAULT 0 NOT NULL,
	"executing_at" timestamp with time zone,
	"executed_at" timestamp with time zone,
	"result" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "approvals_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "approvals_status" CHECK (status in ('pending', 'approved', 'executing', 'executed', 'failed', 'outcome_unknown', 'rejected', 'expired', 'withdrawn', 'stale'))
);
--> statement-breakpoint
CREATE TABLE "policies" (
	"organization_id" uuid NOT NULL,
	"agent" text NOT NULL,
	"tool" text NOT NULL,
	"level" text NOT NULL,
	"updated_by" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "policies_organization_id_agent_tool_pk" PRIMARY KEY("organization_id","agent","tool"),
	CONSTRAINT "policies_level" CHECK (level in ('off', 'deny', 'suggest', 'act'))
);
--> statement-breakpoint
CREATE TABLE "run_steps" (
	"organization_id" uuid NOT NULL,
	"run_id" uuid NOT NULL,
	"n" integer NOT NULL,
	"kind" text NOT NULL,
	"tool" text,
	"call_id" text,
	"input" jsonb,
	"verdict" text,
	"rule" text,
	"output" jsonb,
	"usage" jsonb,
	"started_at" timestamp with time zone NOT NULL,
	"finished_at" timestamp with time zone NOT NULL,
	CONSTRAINT "run_steps_organization_id_run_id_n_pk" PRIMARY KEY("organization_id","run_id","n"),
	CONSTRAINT "run_steps_kind" CHECK (kind in ('model', 'tool'))
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"agent" text NOT NULL,
	"agent_version" text,
	"subject_kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"status" text DEFAULT 'queued' NOT NULL,
	"trigger" jsonb NOT NULL,
	"requested_by" jsonb NOT NULL,
	"model" text,
	"prompt_version" text,
	"input_tokens" integer DEFAULT 0 NOT NULL,
	"output_tokens" integer DEFAULT 0 NOT NULL,
	"cost_minor" bigint,
	"currency" text,
	"stop_reason" text,
	"error" jsonb,
	"tainted_by" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone DEFAULT now() NOT NULL,
	"lease_until" timestamp with time zone,
	"fence" integer DEFAULT 0 NOT NULL,
	"worker" text,
	"cancel_requested_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	CONSTRAINT "runs_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "runs_status" CHECK (status in ('queued', 'running', 'paused', 'done', 'failed', 'stopped', 'cancelled', 'dead'))
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"organization_id" uuid NOT NULL,
	"principal" text NOT NULL,
	"key" text NOT NULL,
	"request_hash" text NOT NULL,
	"status" integer,
	"response" text,
	"content_type" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_organization_id_principal_key_pk" PRIMARY KEY("organization_id","principal","key")
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"channel" text DEFAULT 'email' NOT NULL,
	"status" text DEFAULT 'queued' NOT NULL,
	"message_id" text NOT NULL,
	"sender" text NOT NULL,
	"recipient" text NOT NULL,
	"subject" text NOT NULL,
	"body" text NOT NULL,
	"headers" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"approval_id" uuid,
	"run_id" uuid,
	"record_kind" text NOT NULL,
	"record_id" uuid NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone DEFAULT now() NOT NULL,
	"intent_at" timestamp with time zone,
	"lease_until" timestamp with time zone,
	"fence" integer DEFAULT 0 NOT NULL,
	"provider_response" text,
	"error" text,
	"sent_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "messages_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "messages_status" CHECK (status in ('queued', 'sending', 'sent', 'captured', 'failed', 'outcome_unknown', 'cancelled'))
);
--> statement-breakpoint
CREATE TABLE "opt_outs" (
	"organization_id" uuid NOT NULL,
	"email" text NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "opt_outs_organization_id_email_pk" PRIMARY KEY("organization_id","email")
);
--> statement-breakpoint
ALTER TABLE "identity"."api_keys" ADD CONSTRAINT "api_keys_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "identity"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "identity"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."credentials" ADD CONSTRAINT "credentials_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "identity"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."invitations" ADD CONSTRAINT "invitations_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "identity"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."invitations" ADD CONSTRAINT "invitations_inviter_id_users_id_fk" FOREIGN KEY ("inviter_id") REFERENCES "identity"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."members" ADD CONSTRAINT "members_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "identity"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."members" ADD CONSTRAINT "members_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "identity"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "identity"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity"."tokens" ADD CONSTRAINT "tokens_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "identity"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "enrichments" ADD CONSTRAINT "enrichments_owner" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "opportunities" ADD CONSTRAINT "opportunities_stage" FOREIGN KEY ("organization_id","pipeline_id","stage_id") REFERENCES "public"."stages"("organization_id","pipeline_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "opportunity_keys" ADD CONSTRAINT "opportunity_keys_owner" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "opportunity_scores" ADD CONSTRAINT "opportunity_scores_owner" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stages" ADD CONSTRAINT "stages_pipeline" FOREIGN KEY ("organization_id","pipeline_id") REFERENCES "public"."pipelines"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_subjects" ADD CONSTRAINT "task_subjects_task" FOREIGN KEY ("organization_id","task_id") REFERENCES "public"."tasks"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "activity_subjects" ADD CONSTRAINT "activity_subjects_activity" FOREIGN KEY ("organization_id","activity_id") REFERENCES "public"."activities"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "submissions" ADD CONSTRAINT "submissions_source" FOREIGN KEY ("organization_id","source_id") REFERENCES "public"."intake_sources"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "run_steps" ADD CONSTRAINT "run_steps_run" FOREIGN KEY ("organization_id","run_id") REFERENCES "public"."runs"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "credentials_user" ON "identity"."credentials" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "invitations_organization" ON "identity"."invitations" USING btree ("organization_id");--> statement-breakpoint
CREATE UNIQUE INDEX "members_organization_user" ON "identity"."members" USING btree ("organization_id","user_id");--> statement-breakpoint
CREATE INDEX "members_user" ON "identity"."members" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "sessions_user" ON "identity"."sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "tokens_principal" ON "identity"."tokens" USING btree ("organization_id","kind","principal");--> statement-breakpoint
CREATE INDEX "verifications_identifier" ON "identity"."verifications" USING btree ("identifier");--> statement-breakpoint
CREATE INDEX "notes_subject" ON "notes" USING btree ("organization_id","subject_kind","subject_id","id");--> statement-breakpoint
CREATE INDEX "opportunities_created" ON "opportunities" USING btree ("organization_id","kind","created_at","id");--> statement-breakpoint
CREATE INDEX "opportunities_stage_position" ON "opportunities" USING btree ("organization_id","stage_id","position");--> statement-breakpoint
CREATE INDEX "opportunities_owner" ON "opportunities" USING btree ("organization_id","owner_id","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "opportunities_external" ON "opportunities" USING btree ("organization_id","kind","external_id") WHERE external_id is not null and archived_at is null;--> statement-breakpoint
CREATE INDEX "opportunity_keys_opportunity" ON "opportunity_keys" USING btree ("organization_id","opportunity_id");--> statement-breakpoint
CREATE INDEX "opportunity_scores_score" ON "opportunity_scores" USING btree ("organization_id","score");--> statement-breakpoint
CREATE UNIQUE INDEX "pipelines_default" ON "pipelines" USING btree ("organization_id","record_kind") WHERE is_default and archived_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "stages_one_won_one_lost" ON "stages" USING btree ("organization_id","pipeline_id","kind") WHERE kind in ('won', 'lost');--> statement-breakpoint
CREATE INDEX "stages_position" ON "stages" USING btree ("organization_id","pipeline_id","position");--> statement-breakpoint
CREATE INDEX "task_subjects_subject" ON "task_subjects" USING btree ("organization_id","kind","subject_id");--> statement-breakpoint
CREATE INDEX "tasks_due" ON "tasks" USING btree ("organization_id","status","due_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "activities_seq" ON "activities" USING btree ("organization_id","seq");--> statement-breakpoint
CREATE INDEX "activities_unsealed" ON "activities" USING btree ("organization_id","id") WHERE seq is null;--> statement-breakpoint
CREATE INDEX "activities_run" ON "activities" USING btree ("organization_id","run_id") WHERE run_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "submissions_delivery" ON "submissions" USING btree ("organization_id","source_id","delivery_id") WHERE delivery_id is not null;--> statement-breakpoint
CREATE INDEX "submissions_status" ON "submissions" USING btree ("organization_id","status","id");--> statement-breakpoint
CREATE INDEX "submissions_lead" ON "submissions" USING btree ("organization_id","lead_id","id") WHERE lead_id is not null;--> statement-breakpoint
CREATE INDEX "approvals_status" ON "approvals" USING btree ("organization_id","status","id");--> statement-breakpoint
CREATE INDEX "approvals_subject" ON "approvals" USING btree ("organization_id","subject_kind","subject_id","id");--> statement-breakpoint
CREATE INDEX "approvals_expiry" ON "approvals" USING btree ("expires_at") WHERE status in ('pending', 'stale');--> statement-breakpoint
CREATE UNIQUE INDEX "approvals_one_card" ON "approvals" USING btree ("organization_id","tool","subject_id","arguments_hash") WHERE status in ('pending', 'stale');--> statement-breakpoint
CREATE UNIQUE INDEX "approvals_one_purpose" ON "approvals" USING btree ("organization_id","tool","subject_id","purpose") WHERE status in ('pending', 'stale') and purpose is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "run_steps_call" ON "run_steps" USING btree ("organization_id","run_id","call_id") WHERE call_id is not null;--> statement-breakpoint
CREATE INDEX "runs_subject" ON "runs" USING btree ("organization_id","subject_kind","subject_id","id");--> statement-breakpoint
CREATE INDEX "runs_status" ON "runs" USING btree ("organization_id","status","id");--> statement-breakpoint
CREATE INDEX "runs_due" ON "runs" USING btree ("next_attempt_at","organization_id") WHERE status in ('queued', 'running');--> statement-breakpoint
CREATE UNIQUE INDEX "runs_one_waiting" ON "runs" USING btree ("organization_id","agent","subject_id") WHERE status = 'queued' and attempts = 0;--> statement-breakpoint
CREATE INDEX "idempotency_keys_age" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "messages_approval" ON "messages" USING btree ("organization_id","approval_id");--> statement-breakpoint
CREATE INDEX "messages_status" ON "messages" USING btree ("organization_id","status","id");--> statement-breakpoint
CREATE INDEX "messages_record" ON "messages" USING btree ("organization_id","record_kind","record_id","id");--> statement-breakpoint
CREATE INDEX "messages_due" ON "messages" USING btree ("next_attempt_at") WHERE status in ('queued', 'sending');