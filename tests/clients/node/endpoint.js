/** The endpoint under test, from the environment, and a schema for one test file. */

import pg from 'pg'

const { HERD_TEST_HOST, HERD_TEST_PORT, HERD_TEST_USER, HERD_TEST_PASSWORD, HERD_TEST_DBNAME } = process.env

if (!HERD_TEST_PORT) throw new Error('HERD_TEST_PORT is not set; run the suites through tests/run')

export const endpoint = {
  host: HERD_TEST_HOST ?? '127.0.0.1',
  port: Number(HERD_TEST_PORT),
  user: HERD_TEST_USER ?? 'herd',
  password: HERD_TEST_PASSWORD ?? 'herd',
  database: HERD_TEST_DBNAME ?? 'herd',
}

/** Runs statements on a connection of their own, one text after the other. */
export async function administer(...texts) {
  const client = new pg.Client(endpoint)
  await client.connect()
  try {
    for (const text of texts) await client.query(text)
  } finally {
    await client.end()
  }
}

export const freshSchema = (name) => administer(`DROP SCHEMA IF EXISTS ${name} CASCADE`, `CREATE SCHEMA ${name}`)
export const dropSchema = (name) => administer(`DROP SCHEMA ${name} CASCADE`)
