-- The sample of `herd demo`: a news platform over two data centres, n1 in the east, n2 and n3 in the
-- west. Run through Herd; on a node itself the herd.* options are unknown.

-- Few rows that every node joins with: a full copy on each.
CREATE TABLE categories (
    category text PRIMARY KEY,
    title    text NOT NULL
) WITH (herd.reference = true);

-- Readers live where they read.
CREATE TABLE users (
    id               bigint NOT NULL,
    "timestamp"      timestamptz NOT NULL,
    uid              bigint NOT NULL,
    name             text NOT NULL,
    gender           text NOT NULL,
    email            text NOT NULL,
    phone            text NOT NULL,
    dept             text NOT NULL,
    grade            text NOT NULL,
    language         text NOT NULL,
    region           text NOT NULL,
    role             text NOT NULL,
    prefer_tags      text[] NOT NULL,
    obtained_credits integer NOT NULL,
    PRIMARY KEY (region, uid)
) PARTITION BY LIST (region) WITH (herd.fragmented = true);

CREATE TABLE users_asia    PARTITION OF users FOR VALUES IN ('asia')    WITH (herd.node = 'n1');
CREATE TABLE users_europe  PARTITION OF users FOR VALUES IN ('europe')  WITH (herd.node = 'n2');
CREATE TABLE users_america PARTITION OF users FOR VALUES IN ('america') WITH (herd.node = 'n3');

-- Cut as users are, so that a reader's reads are beside the reader.
CREATE TABLE reads (
    id               bigint NOT NULL,
    "timestamp"      timestamptz NOT NULL,
    uid              bigint NOT NULL,
    aid              bigint NOT NULL,
    read_time_length integer NOT NULL,
    agree_or_not     boolean NOT NULL,
    comment_or_not   boolean NOT NULL,
    share_or_not     boolean NOT NULL,
    comment_detail   text,
    region           text NOT NULL,
    PRIMARY KEY (region, id)
) PARTITION BY LIST (region) WITH (herd.fragmented = true);

CREATE TABLE reads_asia    PARTITION OF reads FOR VALUES IN ('asia')    WITH (herd.node = 'n1');
CREATE TABLE reads_europe  PARTITION OF reads FOR VALUES IN ('europe')  WITH (herd.node = 'n2');
CREATE TABLE reads_america PARTITION OF reads FOR VALUES IN ('america') WITH (herd.node = 'n3');

CREATE INDEX reads_by_uid ON reads (region, uid);

-- Spread evenly by the hash of the article.
CREATE TABLE articles (
    id           bigint NOT NULL,
    "timestamp"  timestamptz NOT NULL,
    aid          bigint PRIMARY KEY,
    title        text NOT NULL,
    category     text NOT NULL,
    abstract     text NOT NULL,
    article_tags text[] NOT NULL,
    authors      text NOT NULL,
    language     text NOT NULL,
    text         text NOT NULL
) PARTITION BY HASH (aid) WITH (herd.fragments = 6);

-- What reads say of each article, beside the article.
CREATE TABLE be_read (
    id               bigint NOT NULL,
    "timestamp"      timestamptz NOT NULL,
    aid              bigint PRIMARY KEY,
    read_num         integer NOT NULL,
    read_uid_list    bigint[] NOT NULL,
    comment_num      integer NOT NULL,
    comment_uid_list bigint[] NOT NULL,
    agree_num        integer NOT NULL,
    agree_uid_list   bigint[] NOT NULL,
    share_num        integer NOT NULL,
    share_uid_list   bigint[] NOT NULL
) PARTITION BY HASH (aid) WITH (herd.fragments = 6);

-- The five articles read most, in each day, week and month.
CREATE TABLE popular_rank (
    id          bigint NOT NULL,
    day         date NOT NULL,
    granularity text NOT NULL,
    aids        bigint[] NOT NULL,
    PRIMARY KEY (granularity, day)
) PARTITION BY LIST (granularity) WITH (herd.fragmented = true);

CREATE TABLE popular_daily   PARTITION OF popular_rank FOR VALUES IN ('daily')   WITH (herd.node = 'n1');
CREATE TABLE popular_weekly  PARTITION OF popular_rank FOR VALUES IN ('weekly')  WITH (herd.node = 'n2');
CREATE TABLE popular_monthly PARTITION OF popular_rank FOR VALUES IN ('monthly') WITH (herd.node = 'n2');
