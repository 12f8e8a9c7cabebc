CREATE TABLE "allowances" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"per_minute" integer NOT NULL,
	"tokens" double precision NOT NULL,
	"granted" integer NOT NULL,
	"filled_at" timestamp with time zone NOT NULL,
	CONSTRAINT "allowances_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
ALTER TABLE "milestones" ADD COLUMN "activity_id" uuid;--> statement-breakpoint
ALTER TABLE "milestones" ADD COLUMN "withdrawn_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "milestones" ADD COLUMN "withdrawn_by" jsonb;--> statement-breakpoint
CREATE INDEX "tasks_priority" ON "tasks" USING btree ("organization_id","status",(case priority when 'low' then 0 when 'normal' then 1 when 'high' then 2 when 'urgent' then 3 end),"id");--> statement-breakpoint
CREATE INDEX "activity_revisions_occurred" ON "activity_revisions" USING btree ("organization_id","occurred_at");