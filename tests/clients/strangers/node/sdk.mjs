// Makes calls with OpenAI's SDK under OpenTelemetry's instrumentation, whose spans go out as JSON in chunks.
import { register } from 'node:module'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { OpenAIInstrumentation } from '@opentelemetry/instrumentation-openai'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'

register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
provider.register()
registerInstrumentations({ instrumentations: [new OpenAIInstrumentation()] })

const { default: OpenAI } = await import('openai')
const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: 'CANARY-KEY', maxRetries: 0 })
const ask = (text, more = {}) => client.chat.completions.create({
  model: 'gpt-4o-mini', max_tokens: 100, messages: [{ role: 'user', content: text }], ...more
})
await ask('CANARY-PROMPT')
for await (const _ of await ask('CANARY-PROMPT', { stream: true, stream_options: { include_usage: true } })) {}
for (const word of ['FAIL400', 'FAIL429']) await ask(`CANARY-PROMPT ${word}`).catch(() => {})
await provider.shutdown()
