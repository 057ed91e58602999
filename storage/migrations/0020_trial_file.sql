-- Which file on disk the words of a trial were made from: a release may ship another before they are switched on.
ALTER TABLE rule_trial ADD COLUMN made_from text;   -- its digest; NULL: an earlier release did not keep it
