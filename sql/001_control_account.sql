-- The account with which Herd works on a node, with the least rights that suffice.
--
-- Run as a superuser on every node, in the database that auth.control_database of proxy.toml names:
--
--     psql --host NODE --username postgres --dbname postgres --file sql/001_control_account.sql
--     psql --host NODE --username postgres --dbname postgres --command '\password herd_control'
--
-- and give the same password to auth.control_password. It may be run again at any time. The account
-- must also be able to connect to each database that clients use, to read what functions do there; it is
-- unless CONNECT was revoked from PUBLIC. A node whose provider grants no superuser cannot have the function
-- below: make a role that may log in, and list the users in auth.users of proxy.toml.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'herd_control') THEN
        CREATE ROLE herd_control;
    END IF;
END
$$;

-- Nothing beyond logging in, whatever it had before.
ALTER ROLE herd_control LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- All that Herd ever creates on a node is in this schema, and Herd may create it.
CREATE SCHEMA IF NOT EXISTS herd;
GRANT USAGE, CREATE ON SCHEMA herd TO herd_control;

-- The password verifiers of roles, which only superusers may read. It runs as its owner, so its
-- search_path is fixed and every name in it is qualified, operators included.
CREATE OR REPLACE FUNCTION herd.role_verifiers()
    RETURNS TABLE (
        rolname       pg_catalog.name,
        rolpassword   pg_catalog.text,
        rolvaliduntil pg_catalog.timestamptz,
        rolcanlogin   pg_catalog.bool,
        rolsuper      pg_catalog.bool
    )
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.rolname, a.rolpassword, a.rolvaliduntil, a.rolcanlogin, a.rolsuper
    FROM pg_catalog.pg_authid AS a
    WHERE a.rolcanlogin
$$;

COMMENT ON FUNCTION herd.role_verifiers() IS 'Verifiers of the roles that may log in, for Herd';

REVOKE ALL ON FUNCTION herd.role_verifiers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION herd.role_verifiers() TO herd_control;

COMMIT;
