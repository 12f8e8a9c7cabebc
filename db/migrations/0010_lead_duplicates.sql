CREATE TABLE "duplicate_pairs" (
	"organization_id" uuid NOT NULL,
	"lead_id" uuid NOT NULL,
	"other_id" uuid NOT NULL,
	"exact" boolean NOT NULL,
	"shared_keys" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"points" integer NOT NULL,
	"reasons" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"standing" boolean DEFAULT true NOT NULL,
	"dismissed_at" timestamp with time zone,
	"dismissed_by" jsonb,
	"found_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "duplicate_pairs_organization_id_lead_id_other_id_pk" PRIMARY KEY("organization_id","lead_id","other_id"),
	CONSTRAINT "duplicate_pairs_order" CHECK (lead_id < other_id),
	CONSTRAINT "duplicate_pairs_points" CHECK (points between 0 and 100)
);
--> statement-breakpoint
CREATE TABLE "lead_hints" (
	"organization_id" uuid NOT NULL,
	"hint" bigint NOT NULL,
	"opportunity_id" uuid NOT NULL,
	CONSTRAINT "lead_hints_organization_id_hint_opportunity_id_pk" PRIMARY KEY("organization_id","hint","opportunity_id")
);
--> statement-breakpoint
CREATE TABLE "lead_merges" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"primary_id" uuid NOT NULL,
	"duplicate_id" uuid NOT NULL,
	"pre_image" jsonb NOT NULL,
	"merged_at" timestamp with time zone DEFAULT now() NOT NULL,
	"merged_by" jsonb NOT NULL,
	"unmerged_at" timestamp with time zone,
	"unmerged_by" jsonb,
	CONSTRAINT "lead_merges_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
ALTER TABLE "opportunities" ADD COLUMN "merged_into" uuid;--> statement-breakpoint
ALTER TABLE "duplicate_pairs" ADD CONSTRAINT "duplicate_pairs_lead" FOREIGN KEY ("organization_id","lead_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "duplicate_pairs" ADD CONSTRAINT "duplicate_pairs_other_lead" FOREIGN KEY ("organization_id","other_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lead_hints" ADD CONSTRAINT "lead_hints_owner" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lead_merges" ADD CONSTRAINT "lead_merges_primary_lead" FOREIGN KEY ("organization_id","primary_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lead_merges" ADD CONSTRAINT "lead_merges_duplicate_lead" FOREIGN KEY ("organization_id","duplicate_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "duplicate_pairs_other" ON "duplicate_pairs" USING btree ("organization_id","other_id","lead_id");--> statement-breakpoint
CREATE INDEX "duplicate_pairs_exact" ON "duplicate_pairs" USING btree ("organization_id","lead_id","other_id") WHERE exact and standing and dismissed_at is null;--> statement-breakpoint
CREATE INDEX "duplicate_pairs_near" ON "duplicate_pairs" USING btree ("organization_id","points","lead_id","other_id") WHERE not exact and standing and dismissed_at is null;--> statement-breakpoint
CREATE INDEX "lead_hints_lead" ON "lead_hints" USING btree ("organization_id","opportunity_id");--> statement-breakpoint
CREATE INDEX "lead_merges_primary" ON "lead_merges" USING btree ("organization_id","primary_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "lead_merges_one_standing" ON "lead_merges" USING btree ("organization_id","duplicate_id") WHERE unmerged_at is null;--> statement-breakpoint
CREATE INDEX "opportunities_merged_into" ON "opportunities" USING btree ("organization_id","merged_into") WHERE merged_into is not null;--> statement-breakpoint
ALTER TABLE "opportunities" ADD CONSTRAINT "opportunities_merged_archived" CHECK (merged_into is null or archived_at is not null);