-- The \d family and its relatives, on objects of every kind.
\ir fixture.psql
\d
\d+
\dt
\dt+ psql_objects.author
\dt pg_catalog.pg_cl*
\dtvmsi psql_objects.*
\d author
\d+ author
\d article
\d+ article
\d scratch
\d+ scratch
\d child_of_scratch
\d measured
\d+ measured
\d measured_rest
\d+ measured_2025
\d glad_authors
\d+ glad_authors
\d titles
\d+ titles
\d counter
\d article_title
\d+ article_title
\d author_pkey
\d pair
\d nowhere
\d psql_objects.a*
\dn psql_objects
\dn+ psql_objects
\df
\df+ twice
\dfa
\dfn
\dfp
\dft
\dfw
\df twice int
\da sum_twice
\dT
\dT+
\dD
\dD+
\do ===
\do+ ===
\dO plain
\dO+ plain
\dC pair
\dp
\dp article
\z author
\ddp
\dx
\dx+ plpgsql
\dL
\dL+
\dP
\dP+
\dPt
\dPi
\dPn
\dX
\dX+ article_stats
\dF
\dF+ simple_copy
\dFd simple
\dFp
\dFt simple
\dA
\dAc btree int4
\dAf hash
\dAo btree integer_ops
\dAp hash int4_ops
\dd
\db
\dc latin1_to_utf8
\det
\des
\dew
\deu
\dy
\dRp
\dRs
\dl
\dconfig work_mem
\drds
\dg pg_monitor
\du pg_monitor
\du+ pg_monitor
\sf twice
\sf+ atomic
\sf nothing
\sv glad_authors
\sv+ glad_authors
\h ABORT
\set HIDE_TABLEAM on
\d+ author
DROP SCHEMA psql_objects CASCADE;
