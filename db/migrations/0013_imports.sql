CREATE TABLE "import_chunks" (
	"organization_id" uuid NOT NULL,
	"import_id" uuid NOT NULL,
	"n" integer NOT NULL,
	"bytes" "bytea" NOT NULL,
	CONSTRAINT "import_chunks_organization_id_import_id_n_pk" PRIMARY KEY("organization_id","import_id","n")
);
--> statement-breakpoint
CREATE TABLE "import_mappings" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"record_kind" text NOT NULL,
	"name" text NOT NULL,
	"header_hash" text NOT NULL,
	"columns" jsonb NOT NULL,
	"mapping" jsonb NOT NULL,
	"options" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_by" jsonb NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "import_mappings_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "import_mappings_record_kind" CHECK (record_kind in ('lead', 'deal', 'account', 'contact'))
);
--> statement-breakpoint
CREATE TABLE "import_rows" (
	"organization_id" uuid NOT NULL,
	"import_id" uuid NOT NULL,
	"n" integer NOT NULL,
	"line" integer NOT NULL,
	"result" text NOT NULL,
	"record_id" uuid,
	"matched_by" text,
	"problems" jsonb,
	"changes" jsonb,
	"made" jsonb,
	"activity_ids" uuid[],
	"fingerprint" uuid,
	"kept" jsonb,
	CONSTRAINT "import_rows_organization_id_import_id_n_pk" PRIMARY KEY("organization_id","import_id","n"),
	CONSTRAINT "import_rows_result" CHECK (result in ('create', 'update', 'skip', 'error'))
);
--> statement-breakpoint
CREATE TABLE "imports" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"record_kind" text NOT NULL,
	"file_name" text NOT NULL,
	"size" bigint NOT NULL,
	"sha256" text NOT NULL,
	"header_hash" text NOT NULL,
	"survey" jsonb NOT NULL,
	"suggestions" jsonb NOT NULL,
	"request" jsonb,
	"task" text,
	"status" text DEFAULT 'uploaded' NOT NULL,
	"done" integer DEFAULT 0 NOT NULL,
	"total" integer NOT NULL,
	"dry_run_counts" jsonb,
	"counts" jsonb,
	"undo_counts" jsonb,
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
	CONSTRAINT "imports_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "imports_record_kind" CHECK (record_kind in ('lead', 'deal', 'account', 'contact')),
	CONSTRAINT "imports_task" CHECK (task in ('dry_run', 'run', 'undo')),
	CONSTRAINT "imports_status" CHECK (status in ('uploaded', 'queued', 'running', 'dry_run_done', 'done', 'failed', 'cancelled', 'undone'))
);
--> statement-breakpoint
ALTER TABLE "import_chunks" ADD CONSTRAINT "import_chunks_import" FOREIGN KEY ("organization_id","import_id") REFERENCES "public"."imports"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_rows" ADD CONSTRAINT "import_rows_import" FOREIGN KEY ("organization_id","import_id") REFERENCES "public"."imports"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "import_mappings_header" ON "import_mappings" USING btree ("organization_id","record_kind","header_hash","id");--> statement-breakpoint
CREATE INDEX "import_rows_result" ON "import_rows" USING btree ("organization_id","import_id","result","n");--> statement-breakpoint
CREATE INDEX "import_rows_fingerprint" ON "import_rows" USING btree ("organization_id","fingerprint") WHERE fingerprint is not null;--> statement-breakpoint
CREATE INDEX "import_rows_kept" ON "import_rows" USING btree ("organization_id","import_id","n") WHERE kept is not null;--> statement-breakpoint
CREATE INDEX "imports_header" ON "imports" USING btree ("organization_id","record_kind","header_hash","id");--> statement-breakpoint
CREATE INDEX "imports_due" ON "imports" USING btree ("lease_until") WHERE status in ('queued', 'running');