-- Lets Herd's control account end what it interrupted, on a herd of several nodes.
--
-- DDL and COPY that concern several nodes are prepared on each by the client's own role. When Herd dies
-- in between, the next Herd commits or rolls back what was prepared; PostgreSQL allows that to the role
-- itself and to superusers. So the control account may become these roles (SET ROLE), which it does for
-- nothing else. It inherits none of their rights.
--
-- Without this, and without a superuser as control account, what was prepared stays until a superuser
-- ends it; SHOW JOBS tells. What superusers prepare needs a superuser in any case.
--
-- Run after 001, as a superuser on every node, and again when roles were added:
--
--     psql --host NODE --username postgres --dbname postgres --file sql/002_repair_rights.sql

DO $$
DECLARE
    client pg_catalog.name;
BEGIN
    ALTER ROLE herd_control NOINHERIT;
    FOR client IN
        SELECT r.rolname
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolcanlogin
          AND NOT r.rolsuper
          AND r.rolname <> 'herd_control'
          AND NOT pg_catalog.pg_has_role('herd_control', r.oid, 'MEMBER')
    LOOP
        EXECUTE pg_catalog.format('GRANT %I TO herd_control', client);
    END LOOP;
END
$$;
