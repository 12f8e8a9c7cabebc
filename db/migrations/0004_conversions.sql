CREATE TABLE "conversions" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"lead_id" uuid NOT NULL,
	"account_id" uuid,
	"contact_id" uuid,
	"deal_id" uuid,
	"created" jsonb NOT NULL,
	"converted_at" timestamp with time zone NOT NULL,
	"converted_by" jsonb NOT NULL,
	"reversed_at" timestamp with time zone,
	"reversed_by" jsonb,
	CONSTRAINT "conversions_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
ALTER TABLE "conversions" ADD CONSTRAINT "conversions_lead" FOREIGN KEY ("organization_id","lead_id") REFERENCES "public"."opportunities"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "conversions_one_standing" ON "conversions" USING btree ("organization_id","lead_id") WHERE reversed_at is null;--> statement-breakpoint
CREATE INDEX "conversions_deal" ON "conversions" USING btree ("organization_id","deal_id");