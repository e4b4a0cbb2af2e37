/** postgres.js: implicit pipelining, type fetching at start, reserved connections. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'

import { dropSchema, endpoint, freshSchema } from './endpoint.js'

const SCHEMA = 'postgres_js'
const open = (options = {}) =>
  postgres({ ...endpoint, max: 4, onnotice: () => {}, connection: { search_path: SCHEMA }, ...options })

let sql

before(async () => {
  await freshSchema(SCHEMA)
  sql = open()
})
after(async () => {
  await sql.end()
  await dropSchema(SCHEMA)
})

describe('connecting', () => {
  test('fetches array types at start', async () => {
    const [row] = await sql`SELECT current_user::text AS who, ARRAY[1, 2] AS numbers, ARRAY['a']::text[] AS words`
    assert.deepEqual({ ...row }, { who: endpoint.user, numbers: [1, 2], words: ['a'] })
  })

  test('a wrong password is 28P01', async () => {
    const wrong = open({ password: 'wrong' })
    await assert.rejects(wrong`SELECT 1`, { code: '28P01' })
    await wrong.end()
  })
})

describe('types', () => {
  test('round trip', async () => {
    const when = new Date('2026-11-21T13:14:15.123Z')
    const bytes = Buffer.from([0, 255])
    const [row] = await sql`
      SELECT ${true}::bool AS b, ${-5}::int AS i, ${'9007199254740993'}::bigint AS big, ${1.25}::float8 AS f,
             ${'1.10'}::numeric AS n, ${'ž 🐑'}::text AS t, ${bytes}::bytea AS y, ${when}::timestamptz AS w,
             ${sql.json({ a: [1, null] })}::jsonb AS j, ${sql.array([1, 2])}::int[] AS a, ${null}::text AS nothing`
    assert.deepEqual(
      { ...row },
      { b: true, i: -5, big: '9007199254740993', f: 1.25, n: '1.10', t: 'ž 🐑', y: bytes, w: when, j: { a: [1, null] }, a: [1, 2], nothing: null },
    )
  })

  test('enum and its array', async () => {
    await sql`CREATE TYPE mood AS ENUM ('sad', 'glad')`
    const fresh = open()
    const [row] = await fresh`SELECT ${'glad'}::mood AS m, ARRAY['sad']::mood[] AS ms`
    assert.deepEqual({ ...row }, { m: 'glad', ms: ['sad'] })
    await fresh.end()
  })
})

describe('statements', () => {
  test('a thousand queries are pipelined and answered in order', async () => {
    const one = open({ max: 1 })
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => one`SELECT ${i}::int AS n`))
    assert.deepEqual(answers.map(([{ n }]) => n), Array.from({ length: 1000 }, (_, i) => i))
    await one.end()
  })

  test('an error in a pipeline hits its own query only', async () => {
    const one = open({ max: 1 })
    const settled = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => one`SELECT 100 / ${i % 5}::int AS n`))
    assert.deepEqual(settled.map(({ status }) => status === 'rejected'), Array.from({ length: 20 }, (_, i) => i % 5 === 0))
    await one.end()
  })

  test('many prepared statements, and none', async () => {
    for (const prepare of [true, false]) {
      const one = open({ max: 1, prepare })
      for (let turn = 0; turn < 2; turn++) {
        for (let i = 0; i < 200; i++) {
          const [{ n }] = await one.unsafe(`SELECT $1::int + ${i} AS n`, [turn], { prepare })
          assert.equal(n, turn + i)
        }
      }
      await one.end()
    }
  })

  test('the simple protocol gives several results', async () => {
    const results = await sql`SELECT 1 AS a; SELECT 2 AS b`.simple()
    assert.deepEqual(results.map(([row]) => ({ ...row })), [{ a: 1 }, { b: 2 }])
  })

  test('describe without running', async () => {
    const { types, columns } = await sql`SELECT ${1}::int AS a, ${'x'}::text AS b`.describe()
    assert.deepEqual([types, columns.map(({ type }) => type)], [[23, 25], [23, 25]])
  })

  test('bulk insert of objects', async () => {
    await sql`CREATE TABLE bulk (id int PRIMARY KEY, name text)`
    const rows = Array.from({ length: 5000 }, (_, id) => ({ id, name: `n${id}` }))
    await sql`INSERT INTO bulk ${sql(rows)}`
    const [{ count }] = await sql`SELECT count(*)::int FROM bulk WHERE id IN ${sql([1, 2, 3, 99999])}`
    assert.equal(count, 3)
  })
})

describe('transactions', () => {
  test('begin, savepoint and a thrown error', async () => {
    await sql`CREATE TABLE kept (id int PRIMARY KEY)`
    await sql.begin('isolation level repeatable read', async (tx) => {
      await tx`INSERT INTO kept VALUES (1)`
      await assert.rejects(tx.savepoint((inner) => inner`INSERT INTO kept VALUES (1)`), { code: '23505' })
      await tx`INSERT INTO kept VALUES (2)`
      const [row] = await tx`SHOW transaction_isolation`
      assert.equal(row.transaction_isolation, 'repeatable read')
    })
    await assert.rejects(sql.begin(async (tx) => {
      await tx`INSERT INTO kept VALUES (3)`
      throw new Error('changed my mind')
    }), /changed my mind/)
    assert.equal((await sql`SELECT * FROM kept`).count, 2)
  })

  test('pipelined queries inside a transaction', async () => {
    await sql`CREATE TABLE piped (id int)`
    await sql.begin((tx) => Array.from({ length: 100 }, (_, i) => tx`INSERT INTO piped VALUES (${i})`))
    assert.equal((await sql`SELECT * FROM piped`).count, 100)
  })
})

describe('errors and cancel', () => {
  test('fields', async () => {
    await sql`CREATE TABLE strict (id int CONSTRAINT one_id PRIMARY KEY)`
    await sql`INSERT INTO strict VALUES (1)`
    await assert.rejects(sql`INSERT INTO strict VALUES (${1})`, {
      code: '23505',
      schema_name: SCHEMA,
      table_name: 'strict',
      constraint_name: 'one_id',
    })
    await assert.rejects(sql`SELECT nothing`, { code: '42703', position: '8' })
  })

  test('cancel ends a query', async () => {
    const query = sql`SELECT pg_sleep(30)`.execute()
    setTimeout(() => query.cancel(), 200)
    const began = Date.now()
    await assert.rejects(query, { code: '57014' })
    assert.ok(Date.now() - began < 3000)
    const [{ n }] = await sql`SELECT 1 AS n`
    assert.equal(n, 1)
  })
})

describe('streams', () => {
  test('a cursor yields batches', async () => {
    const sizes = []
    for await (const rows of sql`SELECT generate_series(1, 2500) AS n`.cursor(1000)) sizes.push(rows.length)
    assert.deepEqual(sizes, [1000, 1000, 500])
  })

  test('a cursor left early frees its connection', async () => {
    const one = open({ max: 1 })
    for await (const _ of one`SELECT generate_series(1, 1000000)`.cursor(10)) break
    assert.equal((await one`SELECT 1`).count, 1)
    await one.end()
  })

  test('forEach over many rows', async () => {
    let total = 0
    await sql`SELECT generate_series(1, 200000) AS n`.forEach(({ n }) => { total += n })
    assert.equal(total, 20_000_100_000)
  })

  test('copy in and out', async () => {
    await sql`CREATE TABLE copied (id int, t text)`
    await pipeline(Readable.from(Array.from({ length: 10_000 }, (_, i) => `${i}\tt${i}\n`)), await sql`COPY copied FROM STDIN`.writable())
    // Below a stream's buffer: past it, postgres.js 3.4 forgets to read on from a paused socket.
    let text = ''
    for await (const chunk of await sql`COPY (SELECT id FROM copied WHERE id < 1000 ORDER BY id) TO STDOUT`.readable()) text += chunk
    assert.equal(text, Array.from({ length: 1000 }, (_, i) => `${i}\n`).join(''))
  })
})

describe('listen', () => {
  test('notifications arrive until unlisten', async () => {
    const heard = []
    const { unlisten } = await sql.listen('news', (payload) => heard.push(payload))
    await sql.notify('news', 'one')
    for (let i = 0; i < 100 && heard.length < 1; i++) await sleep(20)
    await unlisten()
    await sql.notify('news', 'two')
    await sleep(200)
    assert.deepEqual(heard, ['one'])
  })
})

describe('reserve', () => {
  test('a reserved connection keeps its session', async () => {
    const reserved = await sql.reserve()
    await reserved`SET work_mem = '5MB'`
    await reserved`CREATE TEMP TABLE mine (id int)`
    assert.equal((await reserved`SELECT * FROM mine`).count, 0)
    assert.equal((await reserved`SHOW work_mem`)[0].work_mem, '5MB')
    await reserved`DISCARD ALL`
    reserved.release()
  })
})
