/** node-postgres (pg): both protocols, cursors, COPY streams, pools. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'

import { dropSchema, endpoint, freshSchema } from './endpoint.js'

const SCHEMA = 'node_postgres'
let client

async function connect(options = {}) {
  const opened = new pg.Client({ ...endpoint, options: `-c search_path=${SCHEMA}`, ...options })
  await opened.connect()
  return opened
}

const scalar = async (text, values) => Object.values((await client.query(text, values)).rows[0])[0]

before(() => freshSchema(SCHEMA))
after(() => dropSchema(SCHEMA))
beforeEach(async () => {
  client = await connect()
})
afterEach(() => client.end())

describe('connecting', () => {
  test('reports who and where', async () => {
    assert.equal(await scalar('SELECT current_user::text'), endpoint.user)
    assert.ok(client.processID > 0 && client.secretKey !== 0)
  })

  test('a wrong password is 28P01', async () => {
    await assert.rejects(connect({ password: 'wrong' }), { code: '28P01', severity: 'FATAL' })
  })

  test('a missing database is 3D000', async () => {
    await assert.rejects(connect({ database: 'nowhere' }), { code: '3D000' })
  })

  test('application_name and statement_timeout apply', async () => {
    const named = await connect({ application_name: 'node', statement_timeout: 200 })
    const { rows } = await named.query('SHOW application_name')
    assert.deepEqual(rows, [{ application_name: 'node' }])
    await assert.rejects(named.query('SELECT pg_sleep(10)'), { code: '57014' })
    await named.end()
  })
})

describe('types', () => {
  const values = [
    ['boolean', true, true],
    ['integer', -2147483648, -2147483648],
    ['bigint', '9223372036854775807', '9223372036854775807'],
    ['double precision', 1.5e300, 1.5e300],
    ['numeric', '123456789012345678901234567890.10', '123456789012345678901234567890.10'],
    ['text', 'žluť 🐑 \'"\\', 'žluť 🐑 \'"\\'],
    ['bytea', Buffer.from([0, 255, 16]), Buffer.from([0, 255, 16])],
    ['jsonb', { a: [1, null, 'ž'] }, { a: [1, null, 'ž'] }],
    ['json', { b: 1 }, { b: 1 }],
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['timestamptz', new Date('2026-11-21T13:14:15.123Z'), new Date('2026-11-21T13:14:15.123Z')],
    ['integer[]', [1, null, 3], [1, null, 3]],
    ['text[]', ['a', 'with "quote"', null], ['a', 'with "quote"', null]],
    ['int4range', '[1,5)', '[1,5)'],
    ['text', null, null],
  ]
  for (const [type, given, expected] of values) {
    test(`${type} of ${JSON.stringify(given)}`, async () => {
      assert.deepEqual(await scalar(`SELECT $1::${type} AS v`, [given]), expected)
    })
  }

  test('results in the binary format', async () => {
    const { rows } = await client.query({
      text: `SELECT 42::int AS i, 1.5::float8 AS f, true AS b, 'ž'::text AS t, '\\x00ff'::bytea AS y, NULL::int AS n`,
      values: [],
      binary: true,
    })
    assert.deepEqual(rows, [{ i: 42, f: 1.5, b: true, t: 'ž', y: Buffer.from([0, 255]), n: null }])
  })

  test('enum and composite come as text', async () => {
    await client.query(`CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (m mood, n int)`)
    assert.equal(await scalar(`SELECT ROW($1::mood, 7)::pair`, ['glad']), '(glad,7)')
  })

  test('a value of 50 MB', async () => {
    const big = Buffer.alloc(50 * 1024 * 1024, 'herd')
    assert.ok(big.equals(await scalar('SELECT $1::bytea', [big])))
  })
})

describe('statements', () => {
  test('a named statement is prepared once and runs often', async () => {
    for (let i = 0; i < 50; i++) {
      const { rows } = await client.query({ name: 'plus', text: 'SELECT $1::int + 1 AS n', values: [i] })
      assert.equal(rows[0].n, i + 1)
    }
  })

  test('queued queries answer in order', async () => {
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => client.query('SELECT $1::int AS n', [i])))
    assert.deepEqual(answers.map(({ rows }) => rows[0].n), Array.from({ length: 300 }, (_, i) => i))
  })

  test('several statements in one text give several results', async () => {
    const results = await client.query('SELECT 1 AS a; SELECT 2 AS b UNION ALL SELECT 3; SET work_mem = 4096')
    assert.deepEqual(results.map(({ command, rowCount }) => [command, rowCount]), [
      ['SELECT', 1],
      ['SELECT', 2],
      ['SET', null],
    ])
  })

  test('column descriptions', async () => {
    const { fields } = await client.query('SELECT 1::int8 AS big, $1::varchar AS word', ['x'])
    assert.deepEqual(fields.map(({ name, dataTypeID }) => [name, dataTypeID]), [['big', 20], ['word', 1043]])
  })
})

describe('transactions', () => {
  test('commit keeps, rollback undoes, savepoints nest', async () => {
    await client.query('CREATE TABLE kept (id int PRIMARY KEY)')
    await client.query('BEGIN')
    await client.query('INSERT INTO kept VALUES ($1)', [1])
    await client.query('SAVEPOINT s')
    await assert.rejects(client.query('INSERT INTO kept VALUES ($1)', [1]), { code: '23505' })
    await assert.rejects(client.query('SELECT 1'), { code: '25P02' })
    await client.query('ROLLBACK TO s')
    await client.query('INSERT INTO kept VALUES ($1)', [2])
    await client.query('COMMIT')
    await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
    await client.query('DELETE FROM kept')
    await client.query('ROLLBACK')
    assert.equal(await scalar('SELECT count(*)::int FROM kept'), 2)
  })
})

describe('errors', () => {
  test('carry every field', async () => {
    await client.query('CREATE TABLE strict (id int CONSTRAINT one_id PRIMARY KEY, n int NOT NULL)')
    await client.query('INSERT INTO strict VALUES (1, 1)')
    await assert.rejects(client.query('INSERT INTO strict VALUES ($1, $2)', [1, 2]), {
      code: '23505',
      severity: 'ERROR',
      schema: SCHEMA,
      table: 'strict',
      constraint: 'one_id',
      detail: 'Key (id)=(1) already exists.',
    })
    await assert.rejects(client.query('INSERT INTO strict VALUES (2, NULL)'), { code: '23502', column: 'n' })
    await assert.rejects(client.query('SELECT * FORM strict'), { code: '42601', position: '10' })
  })

  test('notices arrive', async () => {
    const notice = once(client, 'notice')
    await client.query(`DO $$ BEGIN RAISE WARNING 'careful' USING HINT = 'hint'; END $$`)
    const [{ message, severity, hint }] = await notice
    assert.deepEqual([message, severity, hint], ['careful', 'WARNING', 'hint'])
  })
})

describe('cancel', () => {
  test('a running statement ends and the connection goes on', async () => {
    const canceller = new pg.Client(endpoint)
    const query = new pg.Query('SELECT pg_sleep(30)')
    const failed = new Promise((resolve) => query.once('error', resolve))
    client.query(query)
    await sleep(200)
    const began = Date.now()
    canceller.cancel(client, query)
    assert.equal((await failed).code, '57014')
    assert.ok(Date.now() - began < 3000)
    assert.equal(await scalar('SELECT 1'), 1)
  })
})

describe('copy', () => {
  test('in and out by streams', async () => {
    await client.query('CREATE TABLE copied (id int, t text)')
    const rows = Array.from({ length: 50_000 }, (_, i) => `${i}\trow ${i}\n`)
    const incoming = client.query(copyFrom('COPY copied FROM STDIN'))
    await pipeline(Readable.from(rows), incoming)
    assert.equal(incoming.rowCount, 50_000)
    let length = 0
    for await (const chunk of client.query(copyTo('COPY copied TO STDOUT'))) length += chunk.length
    assert.equal(length, rows.join('').length)
  })

  test('an error in the data is reported', async () => {
    await client.query('CREATE TABLE refused (id int)')
    const incoming = client.query(copyFrom('COPY refused FROM STDIN (FORMAT csv)'))
    await assert.rejects(pipeline(Readable.from(['1\n', 'x\n']), incoming), { code: '22P02' })
    assert.equal(await scalar('SELECT count(*)::int FROM refused'), 0)
  })
})

describe('portals with row limits', () => {
  test('a cursor reads in pieces', async () => {
    const cursor = client.query(new Cursor('SELECT generate_series(1, $1::int) AS n', [10]))
    const sizes = []
    for (let rows = await cursor.read(4); rows.length; rows = await cursor.read(4)) sizes.push(rows.length)
    assert.deepEqual(sizes, [4, 4, 2])
    await cursor.close()
    assert.equal(await scalar('SELECT 1'), 1)
  })

  test('a cursor closed early leaves the connection usable', async () => {
    const cursor = client.query(new Cursor('SELECT generate_series(1, 1000000)'))
    assert.equal((await cursor.read(10)).length, 10)
    await cursor.close()
    assert.equal(await scalar('SELECT 2'), 2)
  })

  test('half a million rows stream', async () => {
    let total = 0
    const stream = client.query(new QueryStream('SELECT generate_series(1, 500000) AS n', [], { batchSize: 5000 }))
    for await (const { n } of stream) total += n
    assert.equal(total, 125_000_250_000)
  })
})

describe('listen and notify', () => {
  test('a notification arrives', async () => {
    await client.query('LISTEN news')
    const heard = once(client, 'notification')
    const other = await connect()
    await other.query(`SELECT pg_notify('news', $1)`, ['hello'])
    const [{ channel, payload }] = await heard
    assert.deepEqual([channel, payload], ['news', 'hello'])
    await other.end()
  })
})

describe('pool', () => {
  test('serves many queries over few connections', async () => {
    const pool = new pg.Pool({ ...endpoint, max: 10 })
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => pool.query('SELECT $1::int AS n', [i]).then(({ rows }) => rows[0].n)),
    )
    assert.deepEqual(answers, Array.from({ length: 1000 }, (_, i) => i))
    await pool.end()
  })

  test('settings do not cross to another connection', async () => {
    await client.query(`SET work_mem = '5MB'`)
    const other = await connect()
    assert.notEqual((await other.query('SHOW work_mem')).rows[0].work_mem, '5MB')
    await other.end()
  })
})
