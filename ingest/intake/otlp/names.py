"""Lists of attributes that no record may have, or that are dropped; docs/otlp.md has them word for word.

A name stands for all names below it, too: `gen_ai.prompt` for `gen_ai.prompt.0.content`.
"""

from collections.abc import Mapping

from ingest.intake.diagnostics import CONTEXT, FREE_TEXT

# Whatever their value, unless it is a mark that content was taken out.
CONTENT: Mapping[str, str] = {
    name: rule
    for rule, names in {
        "content.prompt": (
            "ai.prompt gen_ai.content gen_ai.input.messages gen_ai.prompt gen_ai.system_instructions "
            "gen_ai.memory.query.text gen_ai.retrieval.query.text input.images input.value langfuse.input "
            "langfuse.observation.input langfuse.trace.input llm.input_messages llm.invocation_parameters "
            "llm.prompt_template llm.prompts prompt traceloop.entity.input traceloop.prompt.template "
            "traceloop.prompt.template_variables user_system_prompt"
        ),
        "content.message": "gen_ai.event.content",
        "content.output": (
            "ai.response.object ai.response.text body gen_ai.completion gen_ai.evaluation.explanation "
            "gen_ai.output.messages langfuse.observation.output langfuse.output langfuse.trace.output llm.choices "
            "llm.output_messages output.images output.value response traceloop.entity.output"
        ),
        "content.tool": (
            "ai.response.toolCalls ai.toolCall.args ai.toolCall.result anthropic.content "
            "anthropic.tool_result.content gen_ai.tool.call.arguments gen_ai.tool.call.result gen_ai.tool.definitions "
            "gen_ai.tool.description llm.request.functions llm.tools tool.json_schema tool.parameters tool_input "
            "tool_parameters"
        ),
        "content.document": (
            "db.query.text db.statement document embedding.embeddings embedding.text embedding.vector "
            "gen_ai.memory.records gen_ai.retrieval.documents reranker.input_documents reranker.output_documents "
            "reranker.query retrieval.documents"
        ),
        "content.free-form": "http.request.body http.request.header http.response.body http.response.header",
    }.items()
    for name in names.split()
}
# Of them, Claude Code's: names below them are others, such as `prompt.id`.
EXACT = frozenset("body prompt response tool_input tool_parameters user_system_prompt".split())
# Below a name of content, but a name or a number by itself.
EXCEPT = frozenset("exception.escaped exception.type gen_ai.prompt.id gen_ai.prompt.name gen_ai.prompt.version".split())
REDACTED = frozenset({"", "__REDACTED__", "<REDACTED>", "redacted-by-litellm"})

# Within these, a key that no table knows may have a number or a name for its value, and nothing else.
NAMESPACES = frozenset(
    "agent agw ai anthropic claude_code gen_ai input langfuse litellm llm message openai openinference output "
    "retrieval tool traceloop".split()
)
# Of them, those that hold a title which a person gave to something: dropped unread.
TITLES = frozenset(
    "agent.name gen_ai.agent.name gen_ai.data_source.id gen_ai.evaluation.name gen_ai.tool.name gen_ai.workflow.name "
    "tool.name traceloop.entity.name traceloop.entity.path traceloop.workflow.name".split()
)
# Rules of `schema.rules` whose names are content at the end of a key in a namespace, and as a whole key.
NAME_RULES = frozenset(
    f"content.{name}" for name in ("document", "media", "message", "output", "prompt", "reasoning", "tool")
)

# Claude Code's names, and those of events.
FREE_TEXT_NAMES: Mapping[str, str] = {name: name for name in FREE_TEXT} | {"error": "error.message"}
CONTEXT_NAMES = frozenset(CONTEXT)


def above(key: str) -> list[str]:
    """Return a key and every name that it is below, the longest first."""
    names = [key]
    while "." in names[-1]:
        names.append(names[-1].rpartition(".")[0])
    return names
