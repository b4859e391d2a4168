"""The formats of keys, one per line.

{l} is the canary, {u} the canary in capitals, {h} in hex, {g} as a UUID, {b} in base64; the rest is filler of the usual
alphabet and length.
"""

import base64
from collections.abc import Iterator
from uuid import UUID

_FORMATS = """
anthropic-api               sk-ant-api03-{l}Zx81Qw07Rt52Uv93Kp46-AA
anthropic-admin             sk-ant-admin01-{l}Zx81Qw07Rt52Uv93Kp46-AA
anthropic-oauth             sk-ant-oat01-{l}Zx81Qw07Rt52Uv93Kp46-AA
anthropic-session           sk-ant-sid01-{l}Zx81Qw07Rt52Uv93Kp46-AA
openai                      sk-{l}T3BlbkFJZx81Qw07Rt52Uv93Kp46
openai-project              sk-proj-{l}Zx81Qw07Rt52Uv93Kp46_T3BlbkFJ
openai-service-account      sk-svcacct-{l}Zx81Qw07Rt52Uv93Kp46
openai-admin                sk-admin-{l}Zx81Qw07Rt52Uv93Kp46
openai-session              sess-{l}Zx81Qw07Rt52Uv93Kp46
openrouter                  sk-or-v1-{h}0f9a4c7be21d0f9a4c7be21d0f9a4c7be21d
langfuse-secret             sk-lf-{g}
langfuse-public             pk-lf-{g}
litellm-virtual             sk-{l}0123456789
deepseek                    sk-{h}0f
helicone                    sk-helicone-{l}-Zx81Qw0
google-api                  AIzaSy{l}Zx81Qw07Rt52Uv9
google-oauth                ya29.{l}Zx81Qw07Rt52Uv93Kp46
google-client               GOCSPX-{l}Zx81Qw07Rt5
google-refresh              1//0g{l}Zx81Qw07Rt52Uv93Kp46
bedrock-api                 ABSKQmVkcm9ja0FQSUtleS{l}Zx81Qw07Rt52Uv93Kp46
aws-access-key              AKIA{u}QX
aws-session-key             ASIA{u}QX
aws-secret                  wJalrXUtnFEMI/{l}/bPxRfiCYZx
azure-openai-hex            {h}0f
azure-storage               AccountKey={l}Zx81Qw07Rt52Uv93Kp46Zx81Qw07Rt52Uv93Kp46Zx81==
azure-client                8Q~{l}Zx81Qw07Rt52Uv93Kp4
azure-sas                   sv=2023-01-03&sig={l}Zx81Qw07Rt52%3D
groq                        gsk_{l}Zx81Qw07Rt52Uv93Kp46WGdyb3FY
xai                         xai-{l}Zx81Qw07Rt52Uv93Kp46
perplexity                  pplx-{l}Zx81Qw07Rt52Uv93Kp46
huggingface                 hf_{l}Zx81Qw07Rt52Uv93Kp46
huggingface-org             api_org_{l}Zx81Qw07Rt52Uv93Kp46
replicate                   r8_{l}Zx81Qw07Rt52Uv93Kp46
nvidia                      nvapi-{l}Zx81Qw07Rt52Uv93Kp46
pinecone                    pcsk_{l}Zx81Qw07Rt52Uv93Kp46
langsmith-personal          lsv2_pt_{h}_0f9a4c7be2
langsmith-service           lsv2_sk_{h}_0f9a4c7be2
posthog-personal            phx_{l}Zx81Qw07Rt52Uv93Kp46
posthog-project             phc_{l}Zx81Qw07Rt52Uv93Kp46
tavily                      tvly-{l}Zx81Qw07Rt52
jina                        jina_{l}Zx81Qw07Rt52Uv93Kp46
cerebras                    csk-{l}Zx81Qw07Rt52Uv93Kp46
fireworks                   fw_{l}Zx81Qw07Rt
voyage                      pa-{l}Zx81Qw07Rt52Uv93Kp46
together                    {h}0f9a4c7be21d0f9a4c7be21d0f9a4c7be21d
mistral                     {l}Zx81Qw07Rt52Uv93Kp
cohere                      {l}Zx81Qw07Rt52Uv93Kp46Zx81Qw
cohere-scoped               co_{l}Zx81Qw07Rt52Uv93Kp46
elevenlabs                  sk_{h}0f9a4c7be21d
runpod                      rpa_{u}ZX81QW07RT52UV93KP46
modal                       ak-{l}Zx81Qw
firecrawl                   fc-{h}0f
exa                         {g}
serper                      {h}0f9a4c7be21d
brave                       BSA{l}Zx81Qw07
deepgram                    {h}be21d0f9a4
wandb                       {h}0f9a4c7be21d0f9a
scale                       live_{h}0f
github-personal             ghp_{l}Zx81Qw07Rt52Uv93Kp46
github-oauth                gho_{l}Zx81Qw07Rt52Uv93Kp46
github-user                 ghu_{l}Zx81Qw07Rt52Uv93Kp46
github-server               ghs_{l}Zx81Qw07Rt52Uv93Kp46
github-refresh              ghr_{l}Zx81Qw07Rt52Uv93Kp46
github-fine-grained         github_pat_11{l}_Zx81Qw07Rt52Uv93Kp46
gitlab-personal             glpat-{l}Zx81Qw
gitlab-deploy               gldt-{l}Zx81Qw
gitlab-runner               glrt-{l}Zx81Qw
slack-bot                   xoxb-481516234248-{l}
slack-user                  xoxp-481516234248-{l}
slack-app-token             xoxa-2-481516234248-{l}
slack-app                   xapp-1-A0481516-{l}
slack-webhook               https://hooks.slack.com/services/T0481516/B0481516/{l}
sendgrid                    SG.{l}Zx81Qw07.Rt52Uv93Kp46Zx81Qw07Rt52Uv93Kp46
mailgun                     key-{h}0f
mailchimp                   {h}0f-us12
npm                         npm_{l}Zx81Qw07Rt52Uv93Kp46
pypi                        pypi-AgEIcHlwaS5vcmc{l}Zx81Qw07Rt52Uv93Kp46
rubygems                    rubygems_{h}0f9a4c7be21d0f9a
docker                      dckr_pat_{l}Zx81Qw07Rt5
databricks                  dapi{h}0f
digitalocean-personal       dop_v1_{h}0f9a4c7be21d0f9a4c7be21d0f9a4c7be21d
digitalocean-oauth          doo_v1_{h}0f9a4c7be21d0f9a4c7be21d0f9a4c7be21d
digitalocean-refresh        dor_v1_{h}0f9a4c7be21d0f9a4c7be21d0f9a4c7be21d
vault                       hvs.{l}Zx81Qw07Rt52Uv93Kp46
vault-batch                 hvb.{l}Zx81Qw07Rt52Uv93Kp46
doppler                     dp.pt.{l}Zx81Qw07Rt52Uv93Kp46
doppler-service             dp.st.prd.{l}Zx81Qw07Rt52Uv93Kp46
grafana                     glsa_{l}Zx81Qw07Rt52Uv93_0f9a4c7b
grafana-cloud               glc_{b}
new-relic                   NRAK-{u}ZX81QW07RT5
linear                      lin_api_{l}Zx81Qw07Rt52Uv93Kp46
notion                      ntn_{l}Zx81Qw07Rt52Uv93Kp46
notion-old                  secret_{l}Zx81Qw07Rt52Uv93Kp46
supabase                    sbp_{h}0f9a4c7be21d
planetscale-token           pscale_tkn_{l}Zx81Qw07Rt52Uv93Kp46
planetscale-password        pscale_pw_{l}Zx81Qw07Rt52Uv93Kp46
sentry-org                  sntrys_{b}_Zx81Qw07Rt52Uv93Kp46
sentry-user                 sntryu_{h}0f9a4c7be21d
postman                     PMAK-{h}-0f9a4c7be21d
tailscale                   tskey-auth-k{l}-Zx81Qw07Rt52
stripe-live                 sk_live_{l}Zx81Qw07Rt52
stripe-restricted           rk_live_{l}Zx81Qw07Rt52
stripe-test                 sk_test_{l}Zx81Qw07Rt52
stripe-webhook              whsec_{l}Zx81Qw07Rt52Uv93
shopify-access              shpat_{h}0f
shopify-app                 shpca_{h}0f
shopify-shared              shpss_{h}0f
square-access               sq0atp-{l}Zx81Qw07
square-secret               sq0csp-{l}Zx81Qw07Rt52Uv93
alibaba                     LTAI{l}Zx81Qw
age                         AGE-SECRET-KEY-1{u}ZX81QW07RT52UV93KP46ZX81QW07RT52UV93KP46
twilio                      SK{h}0f
discord                     MTA4ODE1MTYyMzQ.GZx81Q.{l}Zx81Qw07Rt52
telegram                    481516234:AA{l}Zx81Qw07Rt52Uv9
facebook                    EAACEdEose0cBA{l}Zx81Qw07
heroku                      HRKU-{g}
figma                       figd_{l}Zx81Qw07Rt52Uv93Kp46
airtable                    pat{l}.0f9a4c7be21d0f9a4c7be21d
atlassian                   ATATT3xFfGF0{l}Zx81Qw07Rt52
cloudflare                  v1.0-{h}-0f9a4c7be21d
dynatrace                   dt0c01.{u}ZX81QW07RT.ZX81QW07RT52UV93KP46
terraform                   {l}.atlasv1.Zx81Qw07Rt52Uv93Kp46
pulumi                      pul-{h}0f9a4c7be21d
circleci                    CCIPAT_{l}_0f9a4c7be21d
netlify                     nfp_{l}Zx81Qw07Rt52Uv93Kp46
fly                         FlyV1 fm2_{l}Zx81Qw07Rt52Uv93Kp46
hubspot                     pat-na1-{g}
mapbox                      sk.eyJ1Ijoi{b}.Zx81Qw07Rt52
nocontent                   nct_0f9a4c7be21d_{l}Zx81Qw07Rt52Uv93Kp46Zx81Qw07R
jwt                         eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ{b}.Zx81Qw07Rt52Uv93Kp46
pem                         -----BEGIN RSA PRIVATE KEY-----MIIEow{b}-----END RSA PRIVATE KEY-----
pem-openssh                 -----BEGIN OPENSSH PRIVATE KEY-----b3BlbnNzaC1r{b}-----END OPENSSH PRIVATE KEY-----
ssh-public                  ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{b} someone
postgres-url                postgresql://app:{l}@db.internal:5432/app
mongodb-url                 mongodb+srv://app:{l}@cluster0.internal/app
redis-url                   redis://:{l}@cache.internal:6379/0
https-basic                 https://app:{l}@api.internal/v1
sqlserver                   Server=db;User Id=app;Password={l};
bearer                      Bearer {l}Zx81Qw07Rt52Uv93Kp46
basic                       Basic {b}
bcrypt                      $2b$12${l}Zx81Qw07Rt52Uv93Kp46Zx81Qw07Rt
otpauth                     otpauth://totp/acme?secret={u}
cookie                      session={l}; Path=/; HttpOnly
environment                 OPENAI_API_KEY={l}
aws-signature               AWS4-HMAC-SHA256 Credential=AKIA{u}QX/20260101/us-east-1/bedrock/aws4_request
"""
FORMATS = dict(line.split(maxsplit=1) for line in _FORMATS.strip().splitlines())


def keys(canary: str) -> Iterator[tuple[str, str]]:
    """Yield a key of every format, each with the same canary."""
    for name in FORMATS:
        yield name, key(name, canary)


def key(name: str, canary: str) -> str:
    """Return a key of one format."""
    raw = canary.encode("ascii")
    return FORMATS[name].format(
        l=canary,
        u=canary.upper(),
        h=raw.hex(),
        g=UUID(bytes=(raw + bytes(16))[:16]),
        b=base64.b64encode(raw).decode("ascii").rstrip("="),
    )
