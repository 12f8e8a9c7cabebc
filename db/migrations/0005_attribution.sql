CREATE TABLE "attributions" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"touches" integer NOT NULL,
	"first_touch" jsonb,
	"creation_touch" jsonb,
	"last_touch" jsonb,
	"first_campaign_id" uuid,
	"last_campaign_id" uuid,
	"refreshed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "attributions_organization_id_opportunity_id_pk" PRIMARY KEY("organization_id","opportunity_id")
);
--> statement-breakpoint
CREATE TABLE "campaign_influences" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"campaign_id" uuid NOT NULL,
	"touches" integer NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	CONSTRAINT "campaign_influences_pk" PRIMARY KEY("organization_id","opportunity_id","campaign_id")
);
--> statement-breakpoint
CREATE TABLE "campaign_names" (
	"organization_id" uuid NOT NULL,
	"name" text NOT NULL,
	"campaign_id" uuid NOT NULL,
	CONSTRAINT "campaign_names_organization_id_name_pk" PRIMARY KEY("organization_id","name")
);
--> statement-breakpoint
CREATE TABLE "campaigns" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"slug" text NOT NULL,
	"aliases" text[] DEFAULT '{}' NOT NULL,
	"channel" text,
	"status" text DEFAULT 'active' NOT NULL,
	"starts_on" date,
	"ends_on" date,
	"budget_minor" bigint,
	"cost_minor" bigint,
	"costs" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"currency" text NOT NULL,
	"owner_id" uuid,
	"description" text,
	"external_id" text,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "campaigns_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "campaigns_status" CHECK (status in ('planned', 'active', 'paused', 'ended')),
	CONSTRAINT "campaigns_currency" CHECK (currency ~ '^[A-Z]{3}$')
);
--> statement-breakpoint
CREATE TABLE "touchpoints" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"visitor_id" text,
	"lead_id" uuid,
	"campaign_id" uuid,
	"campaign" text,
	"source" text,
	"medium" text,
	"term" text,
	"content" text,
	"landing_page" text,
	"referrer" text,
	"click_ids" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"door" text NOT NULL,
	"source_id" uuid,
	"submission_id" uuid,
	"consent" boolean,
	"dedupe_id" text,
	CONSTRAINT "touchpoints_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "touchpoints_consent" CHECK (visitor_id is null or lead_id is not null or consent)
);
--> statement-breakpoint
CREATE TABLE "visitors" (
	"organization_id" uuid NOT NULL,
	"visitor_id" text NOT NULL,
	"lead_id" uuid NOT NULL,
	"identified_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "visitors_organization_id_visitor_id_pk" PRIMARY KEY("organization_id","visitor_id")
);
--> statement-breakpoint
ALTER TABLE "settings" ADD COLUMN "create_campaigns" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "settings" ADD COLUMN "influence_days" integer DEFAULT 90 NOT NULL;--> statement-breakpoint
ALTER TABLE "intake_sources" ADD COLUMN "origins" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "attributions" ADD CONSTRAINT "attributions_owner" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_influences" ADD CONSTRAINT "campaign_influences_owner" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_names" ADD CONSTRAINT "campaign_names_campaign" FOREIGN KEY ("organization_id","campaign_id") REFERENCES "public"."campaigns"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "touchpoints" ADD CONSTRAINT "touchpoints_lead" FOREIGN KEY ("organization_id","lead_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "visitors" ADD CONSTRAINT "visitors_lead" FOREIGN KEY ("organization_id","lead_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "attributions_first" ON "attributions" USING btree ("organization_id","first_campaign_id","opportunity_id") WHERE first_campaign_id is not null;--> statement-breakpoint
CREATE INDEX "attributions_last" ON "attributions" USING btree ("organization_id","last_campaign_id","opportunity_id") WHERE last_campaign_id is not null;--> statement-breakpoint
CREATE INDEX "campaign_influences_campaign" ON "campaign_influences" USING btree ("organization_id","campaign_id","opportunity_id");--> statement-breakpoint
CREATE INDEX "campaign_names_campaign" ON "campaign_names" USING btree ("organization_id","campaign_id");--> statement-breakpoint
CREATE INDEX "campaigns_created" ON "campaigns" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "campaigns_external" ON "campaigns" USING btree ("organization_id","external_id") WHERE external_id is not null and archived_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "touchpoints_dedupe" ON "touchpoints" USING btree ("organization_id","source_id","dedupe_id") WHERE dedupe_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "touchpoints_submission" ON "touchpoints" USING btree ("organization_id","submission_id") WHERE submission_id is not null;--> statement-breakpoint
CREATE INDEX "touchpoints_lead" ON "touchpoints" USING btree ("organization_id","lead_id","id") WHERE lead_id is not null;--> statement-breakpoint
CREATE INDEX "touchpoints_visitor" ON "touchpoints" USING btree ("organization_id","visitor_id","id") WHERE visitor_id is not null;--> statement-breakpoint
CREATE INDEX "touchpoints_campaign" ON "touchpoints" USING btree ("organization_id","campaign_id","id") WHERE campaign_id is not null;--> statement-breakpoint
CREATE INDEX "touchpoints_unmatched" ON "touchpoints" USING btree ("organization_id","campaign") WHERE campaign is not null and campaign_id is null;--> statement-breakpoint
CREATE INDEX "visitors_lead" ON "visitors" USING btree ("organization_id","lead_id");--> statement-breakpoint
CREATE INDEX "opportunities_campaign" ON "opportunities" USING btree ("organization_id","campaign_id","created_at","id") WHERE campaign_id is not null;--> statement-breakpoint
CREATE INDEX "opportunities_unmatched" ON "opportunities" USING btree ("organization_id","campaign") WHERE campaign is not null and campaign_id is null;