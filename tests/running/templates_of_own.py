"""Small chat templates with every construct that published ones use, and talks for them.

The constructs are those of llama.cpp's ``models/templates``: all tags, filters, tests and methods that occur there. The
texts are our own.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import jinja2.ext
import jinja2.sandbox

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# Drops what the model thought before all answers but those behind the last message of a user.
THINKING = """\
{%- set ns = namespace(last=-1) -%}
{%- for message in messages if message.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endfor -%}
{%- for message in messages -%}
{%- set content = message['content'] -%}
{%- if message.role == 'assistant' and '</think>' in content -%}
{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}
{%- endif -%}
<|im_start|>{{ message.role }}
{{ content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
<think>
{% endif -%}"""
# As Gemma's: roles must alternate, no system prompt, the assistant has another name, contents are trimmed.
ALTERNATING = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('roles must alternate') }}{% endif %}
{%- if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}
{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}
{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"""
# Tokens that are put together, numbers, and every way to join texts.
PIECES = """\
{%- macro wrap() -%}{{ caller('<|im_end|>') }}{{ caller(messages[0].content) }}{%- endmacro -%}
{%- macro header(role, channel=none) -%}
{{ '<|' ~ role ~ '|>' }}{%- if channel %}{{ '<|channel|>' }}{{ channel }}{% endif -%}
{%- endmacro -%}
{%- set parts = ['<|', 'im_start', '|>'] -%}
{{ parts | join }}{{ ['a', 1, none] | join(', ') }}{{ "{}:{name}".format(1, name='<|im_end|>') }}
{{- "%s" | format('x') }}
{% set block %}<|im_start|>{{ messages | length }}{% endset %}{{ block | trim | upper }}{{ block }}
{% for message in messages recursive %}
{{- header(message.role, 'final' if loop.last else none) }}{{ message.content | string | indent(2, true) }}
{%- if loop.index is divisibleby 3 %}{% continue %}{% endif %}
{%- if loop.index0 > 9 %}{% break %}{% endif %}
{% endfor %}
{% call(x) wrap() %}{{ x }}{% endcall %}
{% generation %}{{ messages[-1].content[:3] ~ messages[-1].content[::-1] }}{% endgeneration %}
{{ strftime_now('%Y') }}{{ messages[-1].content.replace('a', '<|im_end|>') | replace('\\n', ' ') }}
{{- '<|im_end|>' | safe }}{% filter upper %}<|im_start|>{{ messages[0].content }}{% endfilter %}{{ 3 * '<|im_end|>' }}
{{- ('<' ~ 'a') | safe + '&' }}"""
# Tools, in the ways in which templates show them.
TOOLS = """\
{%- if tools is defined and tools is not none and tools | length > 0 -%}
<|im_start|>system
{%- for tool in tools -%}
{%- set f = tool.function if tool.function is mapping else tool %}
{{ f | tojson }} {{ f.parameters | tojson(indent=2) }} {{ f.name }}(
{%- for name, what in f.parameters.properties | dictsort -%}
{{ name }}: {{ what.type | default('any') | title }}{{ '' if loop.last else ', ' }}{%- endfor %})
{%- for key, value in f.items() if key not in ['parameters'] %} {{ key ~ '=' ~ value }}{% endfor %}
{{ f.parameters.required | list | tojson }} {{ f.get('strict', false) | lower }} {{ f }}
{%- endfor -%}
<|im_end|>
{%- endif -%}
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{%- if message.content is string and message.content | trim | length > 0 %} {{ message.content }}
{%- elif message.content is iterable and message.content is not string and message.content is not mapping -%}
{% for part in message.content | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}
{{ message.content | map(attribute='text') | join('|') }}
{%- endif -%}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments if call.function.arguments is string \
else call.function.arguments | tojson }}}
</tool_call>{%- endfor -%}
{%- if message.reasoning_content is defined %}<think>{{ message.reasoning_content.strip('\\n') }}</think>{% endif -%}
<|im_end|>
{% endfor -%}"""
OF_OUR_OWN = {"chatml": CHATML, "thinking": THINKING, "alternating": ALTERNATING, "pieces": PIECES, "tools": TOOLS}
NAMES = (
    *("<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|tool|>", "<|channel|>"),
    *("<start_of_turn>", "<end_of_turn>", "<|IM_START|>"),
)  # of special tokens
ADDED = ("<think>", "</think>", "<tool_call>", "</tool_call>", "    ")  # tokens that are none


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    """A message."""
    return {"role": role, "content": content, **more}


FUNCTION = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": 'Tells the <weather> & "more" in a city\'s streets',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "é"},
                "days": {"type": "integer", "description": "some"},
            },
            "required": ["city"],
        },
    },
}
CALL = {
    "id": "abcdefghi",
    "type": "function",
    "function": {"name": "weather", "arguments": {"city": "Köln", "days": 2}},
}


def talks(text: str = "Hi there") -> dict[str, dict[str, Any]]:
    """Values for templates: name -> variables; in each some user says a text."""
    users, answer = said("user", text), said("assistant", "<think>\nhm\n</think>\n\nHello.")
    called = [
        users,
        said("assistant", "", tool_calls=[CALL]),
        said("tool", f"22 {text}", name="weather", tool_call_id="abcdefghi"),
    ]
    return {
        "one turn": {"messages": [users]},
        "system": {"messages": [said("system", f"Be kind. {text}"), users]},
        "several turns": {"messages": [said("user", "Hello"), answer, users]},
        "thinking": {"messages": [users, said("assistant", "Hello", reasoning_content=f"{text}\n"), said("user", "b")]},
        "parts": {"messages": [said("user", [{"type": "text", "text": text}])]},
        "tools": {"messages": [users], "tools": [FUNCTION]},
        "calls": {"messages": called, "tools": [FUNCTION]},
    }


def expected(template: str, values: dict[str, Any], now: datetime) -> tuple[str | None, str]:
    """jinja2's text, or None and why there is none; as in transformers, a message has its reasoning under all names."""
    named = [{"thinking": each.get("reasoning_content"), **each} for each in values["messages"]]
    messages = [{key: value for key, value in each.items() if value is not None} for each in named]
    try:
        return reference(template)({**VARIABLES, **values, "messages": messages}, now), ""
    except Exception as error:  # noqa: BLE001 - whatever jinja2 says
        return None, str(error)


@cache
def reference(template: str) -> Callable[[dict[str, Any], datetime], str]:
    """A function that runs a template by jinja2 itself, in the environment that transformers describes."""

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = as_json
    environment.globals["raise_exception"] = refuse
    compiled: list[jinja2.Template] = []

    def render(values: dict[str, Any], now: datetime) -> str:
        environment.globals["strftime_now"] = now.strftime
        if not compiled:
            compiled.append(environment.from_string(template))
        return compiled[0].render(values)

    return render


def as_json(value: Any, **options: Any) -> str:
    """The filter ``tojson`` of transformers, whose options are those of `json.dumps`."""
    return json.dumps(value, **{"ensure_ascii": False, **options})


VARIABLES = {"tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
