CREATE TABLE "member_availability" (
	"organization_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"max_open_leads" integer,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "member_availability_organization_id_user_id_pk" PRIMARY KEY("organization_id","user_id"),
	CONSTRAINT "member_availability_max_open_leads" CHECK (max_open_leads >= 0)
);
--> statement-breakpoint
CREATE TABLE "routing_pool_members" (
	"organization_id" uuid NOT NULL,
	"pool_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"weight" integer DEFAULT 1 NOT NULL,
	"pass" double precision DEFAULT 0 NOT NULL,
	"taken" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "routing_pool_members_organization_id_pool_id_user_id_pk" PRIMARY KEY("organization_id","pool_id","user_id"),
	CONSTRAINT "routing_pool_members_weight" CHECK (weight between 1 and 100)
);
--> statement-breakpoint
CREATE TABLE "routing_pools" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "routing_pools_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "routing_rules" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"priority" integer NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"conditions" jsonb NOT NULL,
	"target" jsonb NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "routing_rules_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "routing_settings" (
	"organization_id" uuid PRIMARY KEY NOT NULL,
	"fallback" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "time_off" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"from_on" date NOT NULL,
	"until_on" date NOT NULL,
	"note" text,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "time_off_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "time_off_days" CHECK (from_on <= until_on)
);
--> statement-breakpoint
ALTER TABLE "routing_pool_members" ADD CONSTRAINT "routing_pool_members_pool" FOREIGN KEY ("organization_id","pool_id") REFERENCES "public"."routing_pools"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "routing_rules_order" ON "routing_rules" USING btree ("organization_id","priority","id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "time_off_member" ON "time_off" USING btree ("organization_id","user_id","until_on") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "opportunities_lead_owner" ON "opportunities" USING btree ("organization_id","owner_id","stage_id") WHERE kind = 'lead' and owner_id is not null and archived_at is null;