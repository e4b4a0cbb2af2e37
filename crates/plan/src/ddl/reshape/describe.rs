//! All that the home node knows of a table, as one question: what it takes to make another one
//! like it, and what stands in the way.
//!
//! It is asked under a search_path of `pg_catalog` alone, so that whatever is printed is qualified
//! and means the same on every node. A row begins with what it is about, and has as many columns
//! as every other; [`super::shape`] reads them.

use herd_catalog::TableName;

use crate::ddl::sql::literal;

/// What Herd makes beside a table while it is reshaped begins so; none of that is described.
pub const OWN_PREFIX: &str = "herd_reshape_";

/// Runs as it is outside of a transaction; within one the setting has to be taken back.
pub fn sql(table: &TableName) -> String {
    let name = literal(&table.quoted());
    format!("SET LOCAL search_path = pg_catalog; {}", TEMPLATE.replace("$table", &name))
}

const TEMPLATE: &str = r"
WITH t AS MATERIALIZED (
  SELECT c.*, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, n.nspname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = to_regclass($table)
), seq AS MATERIALIZED (
  SELECT s.oid, s.relname, s.relacl, a.attname, q.*, s.oid::regclass::text AS name
  FROM t JOIN pg_depend d ON d.refobjid = t.oid AND d.refobjsubid > 0
    AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i')
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_sequence q ON q.seqrelid = s.oid
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
), said (kind, place, a, b, c, d, e, f, g) AS (
  SELECT 'table', 0, pg_get_userbyid(t.relowner)::text, t.relpersistence::text,
    array_to_string(t.reloptions, ', '), pg_has_role(t.relowner, 'USAGE')::text,
    CASE WHEN m.amname <> 'heap' THEN quote_ident(m.amname) END,
    (SELECT quote_ident(spcname) FROM pg_tablespace p WHERE p.oid = t.reltablespace),
    t.relkind::text
  FROM t LEFT JOIN pg_am m ON m.oid = t.relam

  UNION ALL SELECT 'column', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::regcollation::text END,
    a.attnotnull::text, pg_get_expr(x.adbin, x.adrelid), a.attgenerated::text, a.attidentity::text
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef x ON x.adrelid = a.attrelid AND x.adnum = a.attnum

  UNION ALL SELECT 'sequence', row_number() OVER (ORDER BY name)::int, attname, relname, name,
    seqtypid::regtype::text, seqstart::text, seqincrement::text,
    format('MINVALUE %s MAXVALUE %s CACHE %s', seqmin, seqmax, seqcache)
  FROM seq

  UNION ALL SELECT 'early', a.attnum, format('ALTER COLUMN %I %s', a.attname, x.action),
    NULL, NULL, NULL, NULL, NULL, NULL
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid
  CROSS JOIN LATERAL (VALUES
    (a.attstorage <> y.typstorage, 'SET STORAGE ' || CASE a.attstorage
      WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END),
    (a.attcompression <> '', 'SET COMPRESSION ' || CASE a.attcompression
      WHEN 'l' THEN 'lz4' ELSE 'pglz' END),
    (a.attstattarget >= 0, 'SET STATISTICS ' || a.attstattarget),
    (true, (SELECT 'SET (' || string_agg(o.option, ', ') || ')' FROM unnest(a.attoptions) AS o (option)
      WHERE starts_with(o.option, 'n_distinct')))
  ) AS x (is_so, action)
  WHERE x.is_so AND x.action IS NOT NULL

  UNION ALL SELECT 'check', row_number() OVER (ORDER BY k.conname)::int, k.conname,
    pg_get_constraintdef(k.oid), NULL, NULL, NULL, NULL, NULL
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c'

  UNION ALL SELECT 'foreign', row_number() OVER (ORDER BY k.conname)::int, k.conname,
    pg_get_constraintdef(k.oid), NULL, NULL, NULL, NULL, NULL
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' AND k.conparentid = 0

  UNION ALL SELECT 'index', row_number() OVER (ORDER BY x.relname)::int, x.relname,
    substr(pg_get_indexdef(x.oid), length(format('CREATE %sINDEX %I ON %s%s',
      CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname,
      CASE WHEN t.relkind = 'p' THEN 'ONLY ' ELSE '' END, t.name)) + 1),
    pg_get_constraintdef(k.oid), k.contype::text, i.indisunique::text,
    (SELECT string_agg(COALESCE(a.attname, ''), E'\x1f' ORDER BY p.place)
     FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS p (attnum, place)
     LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = p.attnum
     WHERE p.place <= i.indnkeyatts), NULL
  FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
  LEFT JOIN pg_constraint k ON k.conindid = x.oid AND k.conrelid = t.oid
    AND k.contype IN ('p', 'u')

  UNION ALL SELECT 'after', x.place, x.statement, NULL, NULL, NULL, NULL, NULL, NULL
  FROM t CROSS JOIN LATERAL (
    SELECT 1, format('ALTER TABLE %s OWNER TO %I', t.name, pg_get_userbyid(t.relowner))
    UNION ALL SELECT DISTINCT 2, format('REVOKE ALL ON TABLE %s FROM %s', t.name,
      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
      FROM (
        SELECT e.grantee FROM pg_default_acl p CROSS JOIN aclexplode(p.defaclacl) e
        WHERE p.defaclobjtype = 'r'
        UNION SELECT t.relowner WHERE t.relacl IS NOT NULL
      ) g WHERE t.relacl IS NOT NULL OR g.grantee <> t.relowner
    UNION ALL SELECT 3, format('GRANT %s ON TABLE %s TO %s%s', e.privilege_type, t.name,
      CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END,
      CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM aclexplode(t.relacl) e
    UNION ALL SELECT 3, format('GRANT %s (%I) ON TABLE %s TO %s%s', e.privilege_type, a.attname,
      t.name,
      CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END,
      CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM pg_attribute a CROSS JOIN aclexplode(a.attacl) e
      WHERE a.attrelid = t.oid AND NOT a.attisdropped
    UNION ALL SELECT 3, format('GRANT %s ON SEQUENCE %s TO %s%s', e.privilege_type, seq.name,
      CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END,
      CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM seq CROSS JOIN aclexplode(seq.relacl) e
    UNION ALL SELECT 4, format('COMMENT ON SEQUENCE %s IS %L', seq.name, c.text)
      FROM seq CROSS JOIN LATERAL obj_description(seq.oid, 'pg_class') AS c (text)
      WHERE c.text IS NOT NULL
    UNION ALL SELECT 4, format('COMMENT ON TABLE %s IS %L', t.name, c.text)
      FROM obj_description(t.oid, 'pg_class') AS c (text) WHERE c.text IS NOT NULL
    UNION ALL SELECT 4, format('COMMENT ON COLUMN %s.%I IS %L', t.name, a.attname, c.text)
      FROM pg_attribute a CROSS JOIN LATERAL col_description(t.oid, a.attnum) AS c (text)
      WHERE a.attrelid = t.oid AND a.attnum > 0 AND c.text IS NOT NULL
    UNION ALL SELECT 4, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, t.name, c.text)
      FROM pg_constraint k CROSS JOIN LATERAL obj_description(k.oid, 'pg_constraint') AS c (text)
      WHERE k.conrelid = t.oid AND c.text IS NOT NULL
    UNION ALL SELECT 4, format('COMMENT ON INDEX %s IS %L', i.indexrelid::regclass, c.text)
      FROM pg_index i CROSS JOIN LATERAL obj_description(i.indexrelid, 'pg_class') AS c (text)
      WHERE i.indrelid = t.oid AND c.text IS NOT NULL
    UNION ALL SELECT 4, format('COMMENT ON TRIGGER %I ON %s IS %L', r.tgname, t.name, c.text)
      FROM pg_trigger r CROSS JOIN LATERAL obj_description(r.oid, 'pg_trigger') AS c (text)
      WHERE r.tgrelid = t.oid AND c.text IS NOT NULL
    UNION ALL SELECT 3, pg_get_statisticsobjdef(s.oid)
      FROM pg_statistic_ext s WHERE s.stxrelid = t.oid
    UNION ALL SELECT 3, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, t.name,
      CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
      CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
        WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
      (SELECT string_agg(CASE r.oid WHEN 0 THEN 'PUBLIC'
        ELSE quote_ident(pg_get_userbyid(r.oid)) END, ', ') FROM unnest(p.polroles) AS r (oid)),
      ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
      FROM pg_policy p WHERE p.polrelid = t.oid
    UNION ALL SELECT 5, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name)
      WHERE t.relrowsecurity
    UNION ALL SELECT 5, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.name)
      WHERE t.relforcerowsecurity
    UNION ALL SELECT 3, pg_get_triggerdef(r.oid)
      FROM pg_trigger r
      WHERE r.tgrelid = t.oid AND NOT r.tgisinternal AND NOT starts_with(r.tgname, 'herd_reshape_')
    UNION ALL SELECT 5, format('ALTER TABLE %s %s TRIGGER %I', t.name,
      CASE r.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
        ELSE 'ENABLE ALWAYS' END, r.tgname)
      FROM pg_trigger r
      WHERE r.tgrelid = t.oid AND NOT r.tgisinternal AND NOT starts_with(r.tgname, 'herd_reshape_')
        AND r.tgenabled <> 'O'
  ) AS x (place, statement)

  UNION ALL SELECT 'statement trigger', 0, r.tgname, NULL, NULL, NULL, NULL, NULL, NULL
  FROM t JOIN pg_trigger r ON r.tgrelid = t.oid
  WHERE NOT r.tgisinternal AND NOT starts_with(r.tgname, 'herd_reshape_')
    AND (r.tgtype & 1 = 0 OR r.tgoldtable IS NOT NULL OR r.tgnewtable IS NOT NULL)

  UNION ALL SELECT 'dependent', 0, x.what, NULL, NULL, NULL, NULL, NULL, NULL
  FROM t CROSS JOIN LATERAL (
    SELECT DISTINCT pg_describe_object('pg_class'::regclass, r.ev_class, 0)
      FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> t.oid
      WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid = t.oid
    UNION SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
      FROM pg_depend d
      WHERE d.deptype = 'n' AND (
        d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.refobjid = t.oid
        OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.reltype,
          (SELECT y.typarray FROM pg_type y WHERE y.oid = t.reltype)))
    UNION SELECT pg_describe_object('pg_policy'::regclass, d.objid, 0)
      FROM pg_depend d JOIN pg_policy p ON p.oid = d.objid AND p.polrelid <> t.oid
      WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid = t.oid
    UNION SELECT format('a foreign key of table %s', k.conrelid::regclass)
      FROM pg_constraint k
      WHERE k.contype = 'f' AND k.confrelid = t.oid AND k.conrelid <> t.oid
        AND k.conparentid = 0
  ) AS x (what)

  UNION ALL SELECT 'obstacle', 0, x.what, NULL, NULL, NULL, NULL, NULL, NULL
  FROM t CROSS JOIN LATERAL (
    SELECT 'It is a temporary table.' WHERE t.relpersistence = 't'
    UNION ALL SELECT 'It is a partition of another table.' WHERE t.relispartition
    UNION ALL SELECT 'It inherits from another table.'
      WHERE EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = t.oid) AND NOT t.relispartition
    UNION ALL SELECT 'Other tables inherit from it.' WHERE t.relkind <> 'p'
      AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = t.oid)
    UNION ALL SELECT 'It is a table of a composite type.' WHERE t.reloftype <> 0
    UNION ALL SELECT format('It has a rule, %I.', r.rulename) FROM pg_rewrite r
      WHERE r.ev_class = t.oid
    UNION ALL SELECT format('It has an exclusion constraint, %I.', k.conname)
      FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'x'
    UNION ALL SELECT format('Its constraint %I is not validated.', k.conname)
      FROM pg_constraint k WHERE k.conrelid = t.oid AND NOT k.convalidated
    UNION ALL SELECT format('Its index %I is not valid.', i.indexrelid::regclass::text)
      FROM pg_index i WHERE i.indrelid = t.oid AND NOT i.indisvalid
    UNION ALL SELECT format('It belongs to publication %I.', p.pubname)
      FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
      WHERE r.prrelid = t.oid
    UNION ALL SELECT 'It has a replica identity of its own.' WHERE t.relreplident <> 'd'
    UNION ALL SELECT 'It has a security label.'
      WHERE EXISTS (SELECT FROM pg_seclabel l WHERE l.objoid = t.oid
        AND l.classoid = 'pg_class'::regclass)
    UNION ALL SELECT format('Its sequence %s starts over at its end.', seq.name) FROM seq
      WHERE seq.seqcycle
    UNION ALL SELECT format('The default of column %I takes numbers from %s, which belongs to '
        'no column of the table.', a.attname, d.refobjid::regclass)
      FROM pg_attrdef x JOIN pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = x.oid
        AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
      WHERE x.adrelid = t.oid AND NOT EXISTS (SELECT FROM seq WHERE seq.oid = d.refobjid)
    UNION ALL SELECT format('Others use its sequence %s.', seq.name) FROM seq
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = seq.oid
        AND d.classid = 'pg_attrdef'::regclass
      JOIN pg_attrdef x ON x.oid = d.objid AND x.adrelid <> t.oid
      WHERE NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.adrelid
        AND h.inhparent = t.oid)
  ) AS x (what)
)
SELECT kind, a, b, c, d, e, f, g FROM said ORDER BY kind, place, a, b";
