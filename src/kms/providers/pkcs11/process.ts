/**
 * The process in which a vendor's PKCS#11 library runs. Its calls are synchronous C and may hang or crash; whoever
 * started this process kills it then and starts another. It ends when its parent does.
 */
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { answerCall, tellFailure } from './calls.ts';
import type { Pkcs11Answer, Pkcs11Call, Pkcs11Setup } from './messages.ts';
import { loadCryptoki } from './module.ts';
import { Pkcs11Session } from './session.ts';

// A hanging call keeps this thread from noticing that the parent is gone; another thread looks every second.
new Worker(
  `const { workerData } = require('node:worker_threads');
  setInterval(() => { if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL'); }, 1000);`,
  { eval: true, workerData: process.ppid },
).unref();

// Ctrl+C in a terminal and a service manager's stop reach every process: the parent decides when this one ends.
process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined);

let setup: Pkcs11Setup | null = null;
let session: Pkcs11Session | null = null;

process.on('disconnect', () => {
  session?.close();
  process.exit(0);
});

process.on('message', (message: { readonly setup: Pkcs11Setup } | Pkcs11Call) => {
  if ('setup' in message) {
    setup = message.setup;
    process.send?.('ready');
    return;
  }
  void answer(message).then((answered) => {
    process.send?.(answered);
    // Sent is a copy, which cannot be zeroed; ours can.
    if ('bytes' in message) message.bytes.fill(0);
    if (answered.ok && answered.result && 'bytes' in answered.result) answered.result.bytes.fill(0);
  });
});

async function answer(call: Pkcs11Call): Promise<Pkcs11Answer> {
  try {
    const cryptoki = await loadCryptoki();
    if (call.call === 'load') return { ok: true, result: null };
    if (!setup) throw new Error('There is no setup');
    session ??= Pkcs11Session.load(cryptoki, setup);
    return { ok: true, result: answerCall(session, call) };
  } catch (error) {
    return { ok: false, ...tellFailure(error) };
  }
}
