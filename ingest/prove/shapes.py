"""Requests and responses of the APIs of this field; `@` marks a person's or a model's words."""

import json

_SHAPES = r"""
anthropic-request {"model":"claude-opus-4-5","max_tokens":1024,"system":[{"type":"text","text":"@","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"@"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"@"}},{"type":"document","title":"@","source":{"type":"text","data":"@"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_01","name":"lookup","input":{"question":"@"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01","content":"@"}]}],"stop_sequences":["@"],"tools":[{"name":"lookup","description":"@","input_schema":{"type":"object","properties":{"question":{"type":"string","description":"@"}}}}],"metadata":{"user_id":"@"}}
anthropic-response {"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-4-5","content":[{"type":"thinking","thinking":"@","signature":"@"},{"type":"text","text":"@","citations":[{"type":"char_location","cited_text":"@","document_title":"@"}]},{"type":"tool_use","id":"toolu_01","name":"lookup","input":{"question":"@"}}],"stop_reason":"stop_sequence","stop_sequence":"@","usage":{"input_tokens":10,"output_tokens":20}}
anthropic-stream {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}
anthropic-error {"type":"error","error":{"type":"invalid_request_error","message":"@"}}
anthropic-legacy {"model":"claude-2","prompt":"@","max_tokens_to_sample":100,"completion":"@"}
anthropic-count {"model":"claude-opus-4-5","system":"@","messages":[{"role":"user","content":"@"}]}
anthropic-batch {"requests":[{"custom_id":"@","params":{"model":"claude-opus-4-5","messages":[{"role":"user","content":"@"}]}}]}
openai-chat-request {"model":"gpt-4o","messages":[{"role":"developer","content":"@"},{"role":"user","name":"@","content":[{"type":"text","text":"@"},{"type":"image_url","image_url":{"url":"@"}},{"type":"input_audio","input_audio":{"data":"@","format":"wav"}}]},{"role":"tool","tool_call_id":"call_1","content":"@"}],"tools":[{"type":"function","function":{"name":"lookup","description":"@","parameters":{"type":"object","properties":{}}}}],"response_format":{"type":"json_schema","json_schema":{"name":"@","description":"@"}},"stop":["@"],"user":"@","prediction":{"type":"content","content":"@"},"metadata":{"topic":"@"},"prompt_cache_key":"@","safety_identifier":"@"}
openai-chat-response {"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"@","refusal":"@","reasoning_content":"@","annotations":[{"type":"url_citation","url_citation":{"url":"@","title":"@"}}],"audio":{"data":"@","transcript":"@"},"tool_calls":[{"id":"call_1","type":"function","function":{"name":"lookup","arguments":"@"}}]},"logprobs":{"content":[{"token":"@","logprob":-0.1,"bytes":[1],"top_logprobs":[{"token":"@","logprob":-0.1}]}]}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}
openai-chat-stream {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"@","tool_calls":[{"index":0,"function":{"arguments":"@"}}]}}]}
openai-responses-request {"model":"gpt-5","instructions":"@","input":[{"role":"user","content":[{"type":"input_text","text":"@"},{"type":"input_file","filename":"@","file_data":"@"}]},{"type":"function_call_output","call_id":"call_1","output":"@"}],"prompt":{"id":"pmpt_1","variables":{"city":"@"}},"tools":[{"type":"mcp","server_label":"@","server_url":"@","headers":{"Authorization":"@"}}],"previous_response_id":"@","user":"@"}
openai-responses-response {"id":"resp_1","object":"response","instructions":"@","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"@"}],"encrypted_content":"@"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"@","annotations":[{"type":"file_citation","filename":"@"}]}]},{"type":"function_call","name":"lookup","arguments":"@"},{"type":"code_interpreter_call","code":"@"},{"type":"web_search_call","action":{"query":"@"}}],"output_text":"@","error":{"message":"@"}}
openai-embeddings {"model":"text-embedding-3-large","input":["@","@"],"encoding_format":"base64","user":"@","data":[{"object":"embedding","index":0,"embedding":"@"}]}
openai-completions {"model":"gpt-3.5-turbo-instruct","prompt":["@"],"suffix":"@","choices":[{"text":"@","logprobs":{"tokens":["@"]}}]}
openai-moderation {"model":"omni-moderation-latest","input":[{"type":"text","text":"@"}]}
openai-image {"model":"gpt-image-1","prompt":"@","data":[{"b64_json":"@","revised_prompt":"@","url":"@"}]}
openai-audio {"model":"whisper-1","prompt":"@","text":"@","segments":[{"id":0,"text":"@"}],"words":[{"word":"@"}]}
openai-error {"error":{"message":"@","type":"invalid_request_error","param":"@","code":"invalid_api_key"}}
openai-assistants {"assistant_id":"asst_1","instructions":"@","additional_messages":[{"role":"user","content":"@"}],"thread":{"messages":[{"role":"user","content":"@"}]}}
gemini-request {"contents":[{"role":"user","parts":[{"text":"@"},{"inlineData":{"mimeType":"image/png","data":"@"}},{"fileData":{"fileUri":"@"}}]},{"role":"model","parts":[{"functionCall":{"name":"lookup","args":{"question":"@"}}}]}],"systemInstruction":{"parts":[{"text":"@"}]},"generationConfig":{"stopSequences":["@"],"responseSchema":{"description":"@"}},"cachedContent":"@","labels":{"topic":"@"}}
gemini-response {"candidates":[{"content":{"role":"model","parts":[{"text":"@","thought":true},{"executableCode":{"code":"@"}},{"codeExecutionResult":{"output":"@"}}]},"finishReason":"STOP","finishMessage":"@","groundingMetadata":{"webSearchQueries":["@"],"groundingChunks":[{"web":{"uri":"@","title":"@"}}]},"citationMetadata":{"citations":[{"title":"@"}]}}],"promptFeedback":{"blockReasonMessage":"@"},"modelVersion":"gemini-2.5-pro"}
gemini-embed {"model":"models/gemini-embedding-001","content":{"parts":[{"text":"@"}]},"title":"@"}
vertex-predict {"instances":[{"prompt":"@","context":"@","examples":[{"input":{"content":"@"},"output":{"content":"@"}}]}],"predictions":[{"content":"@"}],"parameters":{"temperature":0}}
bedrock-converse-request {"modelId":"anthropic.claude-opus-4-5-20251101-v1:0","system":[{"text":"@"}],"messages":[{"role":"user","content":[{"text":"@"},{"document":{"name":"@","source":{"bytes":"@"}}},{"toolResult":{"toolUseId":"t1","content":[{"json":{"answer":"@"}}]}}]}],"inferenceConfig":{"stopSequences":["@"]},"toolConfig":{"tools":[{"toolSpec":{"name":"lookup","description":"@"}}]},"promptVariables":{"city":{"text":"@"}},"requestMetadata":{"topic":"@"}}
bedrock-converse-response {"output":{"message":{"role":"assistant","content":[{"text":"@"},{"reasoningContent":{"reasoningText":{"text":"@","signature":"@"}}},{"toolUse":{"toolUseId":"t1","name":"lookup","input":{"question":"@"}}}]}},"stopReason":"guardrail_intervened","trace":{"guardrail":{"modelOutput":["@"],"inputAssessment":{"g1":{"wordPolicy":{"customWords":[{"match":"@"}]},"sensitiveInformationPolicy":{"piiEntities":[{"match":"@"}]}}}}},"usage":{"inputTokens":1}}
bedrock-invoke-anthropic {"anthropic_version":"bedrock-2023-05-31","max_tokens":10,"messages":[{"role":"user","content":"@"}]}
bedrock-invoke-titan {"inputText":"@","textGenerationConfig":{"stopSequences":["@"]},"results":[{"outputText":"@","completionReason":"FINISH"}]}
bedrock-invoke-llama {"prompt":"@","generation":"@","max_gen_len":10}
bedrock-invoke-nova {"schemaVersion":"messages-v1","system":[{"text":"@"}],"messages":[{"role":"user","content":[{"text":"@"}]}]}
bedrock-agent {"agentId":"a","sessionId":"@","inputText":"@","sessionState":{"promptSessionAttributes":{"k":"@"}},"completion":[{"chunk":{"bytes":"@"}}]}
cohere-chat-request {"model":"command-a-03-2025","message":"@","preamble":"@","chat_history":[{"role":"USER","message":"@"}],"documents":[{"title":"@","snippet":"@"}],"messages":[{"role":"user","content":"@"}],"search_queries_only":false}
cohere-chat-response {"generation_id":"g1","text":"@","message":{"role":"assistant","content":[{"type":"text","text":"@"}],"tool_plan":"@","citations":[{"start":0,"end":1,"text":"@","sources":[{"document":{"snippet":"@"}}]}]},"finish_reason":"COMPLETE","search_results":[{"search_query":{"text":"@"}}]}
cohere-rerank {"model":"rerank-v3.5","query":"@","documents":["@",{"text":"@"}],"results":[{"index":0,"document":{"text":"@"}}]}
cohere-embed {"model":"embed-v4.0","texts":["@"],"inputs":[{"content":[{"type":"text","text":"@"}]}],"input_type":"search_query"}
cohere-classify {"inputs":["@"],"examples":[{"text":"@","label":"@"}],"classifications":[{"input":"@","prediction":"@"}]}
mistral-chat-request {"model":"mistral-large-latest","messages":[{"role":"system","content":"@"},{"role":"user","content":[{"type":"document_url","document_url":"@"},{"type":"text","text":"@"}]},{"role":"assistant","prefix":true,"content":"@"}],"stop":"@","safe_prompt":true}
mistral-chat-response {"id":"cmpl-1","model":"mistral-large-latest","choices":[{"index":0,"message":{"role":"assistant","content":"@","tool_calls":[{"id":"x","function":{"name":"lookup","arguments":"@"}}]},"finish_reason":"stop"}]}
mistral-fim {"model":"codestral-latest","prompt":"@","suffix":"@"}
mistral-ocr {"model":"mistral-ocr-latest","document":{"type":"document_url","document_url":"@"},"pages":[{"index":0,"markdown":"@"}]}
otel-genai {"resourceSpans":[{"scopeSpans":[{"scope":{"name":"@"},"spans":[{"name":"@","attributes":[{"key":"gen_ai.prompt.0.content","value":{"stringValue":"@"}},{"key":"gen_ai.input.messages","value":{"stringValue":"@"}}],"events":[{"name":"gen_ai.content.completion","attributes":[{"key":"gen_ai.completion","value":{"stringValue":"@"}}]}],"status":{"message":"@"}}]}]}]}
langfuse-ingestion {"batch":[{"type":"generation-create","body":{"name":"@","input":{"messages":[{"content":"@"}]},"output":"@","metadata":{"k":"@"},"statusMessage":"@"}}]}
litellm-log {"call_type":"completion","messages":[{"role":"user","content":"@"}],"response":{"choices":[{"message":{"content":"@"}}]},"api_key":"@","metadata":{"user_api_key_alias":"@","requester_ip_address":"@"},"error_str":"@","guardrail_information":{"guardrail_response":"@"},"request_tags":["@"]}
mcp-call {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"lookup","arguments":{"question":"@"}},"result":{"content":[{"type":"text","text":"@"}]}}
"""  # noqa: E501 (a shape is one line)
SHAPES = dict(line.split(" ", 1) for line in _SHAPES.strip().splitlines())
_DULL = "hello"


def leaves(name: str) -> int:
    """Return the number of places for words in a shape."""
    return SHAPES[name].count('"@"')


def filled(name: str, leaf: int, words: str) -> dict[str, object]:
    """Return a shape with words in one place and a neutral word in the others."""
    parts = SHAPES[name].split('"@"')
    dull = json.dumps(_DULL)
    whole = dull.join(parts[: leaf + 1]) + json.dumps(words) + dull.join(parts[leaf + 1 :])
    value = json.loads(whole)
    assert isinstance(value, dict)
    return value
