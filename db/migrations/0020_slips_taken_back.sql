ALTER TABLE "close_date_moves" ADD COLUMN "slips" integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE "close_date_moves" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- Until now every move to a later day counted.
UPDATE "close_date_moves" SET "slips" = 1 WHERE "slipped_days" > 0;
--> statement-breakpoint
ALTER TABLE "close_date_moves" FORCE ROW LEVEL SECURITY;
