CREATE TABLE "deal_risk_days" (
	"organization_id" uuid PRIMARY KEY NOT NULL,
	"day" date NOT NULL
);
--> statement-breakpoint
CREATE TABLE "deal_risks" (
	"organization_id" uuid NOT NULL,
	"opportunity_id" uuid NOT NULL,
	"risk" integer NOT NULL,
	"level" text NOT NULL,
	"reasons" jsonb NOT NULL,
	"formula" text NOT NULL,
	"assessed_at" timestamp with time zone NOT NULL,
	CONSTRAINT "deal_risks_organization_id_opportunity_id_pk" PRIMARY KEY("organization_id","opportunity_id"),
	CONSTRAINT "deal_risks_range" CHECK (risk between 0 and 100),
	CONSTRAINT "deal_risks_level" CHECK (level in ('low', 'medium', 'high'))
);
--> statement-breakpoint
CREATE TABLE "stage_medians" (
	"organization_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"stays" integer NOT NULL,
	"median_days" double precision NOT NULL,
	"computed_at" timestamp with time zone NOT NULL,
	CONSTRAINT "stage_medians_organization_id_stage_id_pk" PRIMARY KEY("organization_id","stage_id")
);
--> statement-breakpoint
ALTER TABLE "deal_risks" ADD CONSTRAINT "deal_risks_deal" FOREIGN KEY ("organization_id","opportunity_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "deal_risks_risk" ON "deal_risks" USING btree ("organization_id","risk","opportunity_id");