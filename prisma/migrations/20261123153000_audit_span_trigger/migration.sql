-- With a trigger on a table of its own, the service's role could have the owner write a span before its events are there:
-- those that come later would be missing from every search by time.
REVOKE ALL ON FUNCTION "note_audit_span"() FROM PUBLIC;
