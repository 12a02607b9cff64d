// MQTT.js under the control of a test: options say how to connect, lines of JSON on standard input say what to do,
// lines of JSON on standard output say what happened. README.md beside this file describes both.

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

// The packages are installed under the target directory, not beside this file.
const mqtt = createRequire(join(process.env.GRIDMQ_INTEROP_NODE_DIR ?? '.', 'package.json'))('mqtt')

const text = { type: 'string' }
const flag = { type: 'boolean', default: false }
const { values: wanted } = parseArgs({
  options: {
    host: text,
    port: text,
    transport: { ...text, default: 'tls' },
    ca: text,
    cert: text,
    key: text,
    tls: text,
    username: text,
    'client-id': text,
    version: text,
    resume: flag,
    'session-expiry': text,
    'keep-alive': { ...text, default: '30' },
    'will-topic': text,
    'will-file': text,
    'will-qos': { ...text, default: '0' },
    'will-retain': flag,
    'out-dir': text,
    timeout: { ...text, default: '30' },
  },
})

function say(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')
}

function fail(error) {
  say('error', { kind: error.code ?? error.name, text: error.message })
  process.exitCode = 1
}

const v5 = wanted.version === '5'
const options = {
  ca: wanted.ca && readFileSync(wanted.ca),
  cert: wanted.cert && readFileSync(wanted.cert),
  key: wanted.key && readFileSync(wanted.key),
  clientId: wanted['client-id'],
  username: wanted.username,
  protocolVersion: v5 ? 5 : 4,
  clean: !wanted.resume,
  keepalive: Number(wanted['keep-alive']),
  connectTimeout: Number(wanted.timeout) * 1000,
  reconnectPeriod: 0,
  // The test subscribes again by itself.
  resubscribe: false,
}
if (wanted.tls) {
  options.minVersion = options.maxVersion = `TLSv${wanted.tls}`
}
if (v5 && wanted['session-expiry'] !== undefined) {
  options.properties = { sessionExpiryInterval: Number(wanted['session-expiry']) }
}
if (wanted['will-topic']) {
  options.will = {
    topic: wanted['will-topic'],
    payload: readFileSync(wanted['will-file']),
    qos: Number(wanted['will-qos']),
    retain: wanted['will-retain'],
  }
}

const addresses = {
  tcp: `mqtt://${wanted.host}:${wanted.port}`,
  tls: `mqtts://${wanted.host}:${wanted.port}`,
  ws: `ws://${wanted.host}:${wanted.port}/mqtt`,
  wss: `wss://${wanted.host}:${wanted.port}/mqtt`,
}
const client = mqtt.connect(addresses[wanted.transport], options)
let admitted = false
let ended = false
let received = 0

client.on('connect', (connack) => {
  admitted = true
  // Its WebSocket keeps the socket to itself.
  const cipher = client.stream.getCipher?.().name ?? null
  say('connected', {
    reason: connack.reasonCode ?? connack.returnCode,
    session_present: Boolean(connack.sessionPresent),
    tls: client.stream.getProtocol?.() ?? null,
    cipher,
  })
  obey().catch(fail)
})

client.on('message', (topic, payload, packet) => {
  received += 1
  const file = join(wanted['out-dir'], `${wanted['client-id']}-${process.pid}-${received}`)
  writeFileSync(file, payload)
  const { qos, retain, dup } = packet
  say('message', { topic, qos, retain: Boolean(retain), dup: Boolean(dup), bytes: payload.length, file })
})

let disconnect = 0
client.on('disconnect', (packet) => {
  disconnect = packet.reasonCode
})

client.on('error', (error) => {
  if (!admitted && Number.isInteger(error.code)) {
    say('refused', { reason: error.code })
    process.exitCode = 1
  } else {
    fail(error)
  }
})

client.on('close', () => {
  if (admitted && !ended) {
    say('disconnected', { reason: disconnect, by: disconnect ? 'server' : 'other' })
    process.exitCode = 1
  }
  process.stdin.destroy()
})

async function publish({ topic, file, qos = 0, retain = false }) {
  const ack = await client.publishAsync(topic, readFileSync(file), { qos, retain })
  say('published', { reason: ack?.reasonCode ?? 0 })
}

async function subscribe({ filter, qos = 0, no_local, retain_as_published, retain_handling }) {
  const extra = v5 ? { nl: no_local ?? false, rap: retain_as_published ?? false, rh: retain_handling ?? 0 } : {}
  try {
    const granted = await client.subscribeAsync(filter, { qos, ...extra })
    say('subscribed', { reasons: granted.map((one) => one.qos) })
  } catch (error) {
    // A refused filter rejects the promise; its SUBACK is what the test wants to see.
    const reasons = error.packet?.granted
    if (!reasons) throw error
    say('subscribed', { reasons })
  }
}

async function unsubscribe({ filter }) {
  const ack = await client.unsubscribeAsync(filter)
  say('unsubscribed', { reasons: ack?.granted ?? [] })
}

async function obey() {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: what, ...rest } = JSON.parse(line)
    if (what === 'publish') {
      await publish(rest)
    } else if (what === 'subscribe') {
      await subscribe(rest)
    } else if (what === 'unsubscribe') {
      await unsubscribe(rest)
    } else if (what === 'drop') {
      // The kernel closes the connection; no DISCONNECT is sent, so the will is due.
      process.exit(0)
    } else {
      throw new Error(`unknown command ${what}`)
    }
  }
  ended = true
  await client.endAsync()
}
