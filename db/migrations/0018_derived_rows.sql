ALTER TABLE "opportunity_keys" DROP CONSTRAINT "opportunity_keys_owner";
--> statement-breakpoint
ALTER TABLE "opportunity_scores" DROP CONSTRAINT "opportunity_scores_owner";
--> statement-breakpoint
ALTER TABLE "lead_hints" DROP CONSTRAINT "lead_hints_owner";
