"""Keys of many makers and of none, generated from a seed: one line per family, and none is a real key.

In a template `<n:a>` stands for n characters of an alphabet: `x` letters and digits, `w` the same and `_-`, `l` small
letters and digits, `u` capitals and digits, `h` hexadecimal, `d` digits, `a` small letters, `c` capitals and 2 to 7.
"""

import re
import string
from collections.abc import Iterator
from random import Random

PER_FAMILY = 20
ALPHABETS = {
    "x": string.ascii_letters + string.digits,
    "w": string.ascii_letters + string.digits + "_-",
    "l": string.ascii_lowercase + string.digits,
    "u": string.ascii_uppercase + string.digits,
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "d": string.digits,
    "a": string.ascii_lowercase,
    "c": string.ascii_uppercase + "234567",
}
_KNOWN = """
anthropic          sk-ant-api03-<60:w>AA
openai             sk-<48:x>
openai-project     sk-proj-<48:w>
openrouter         sk-or-v1-<64:h>
google-api         AIza<35:w>
google-oauth       ya29.<40:w>
aws-access         AKIA<16:c>
aws-session        ASIA<16:c>
aws-secret         <40:x>
bedrock            ABSK<40:x>
azure-openai       <32:h>
azure-client       <3:x>8Q~<34:x>
groq               gsk_<52:x>
xai                xai-<60:x>
perplexity         pplx-<48:x>
huggingface        hf_<34:x>
replicate          r8_<37:x>
nvidia             nvapi-<60:w>
mistral            <32:x>
cohere             <40:x>
together           <64:h>
fireworks          fw_<24:x>
voyage             pa-<43:w>
jina               jina_<32:h><28:x>
tavily             tvly-<32:x>
cerebras           csk-<48:l>
elevenlabs         sk_<48:h>
runpod             rpa_<42:u>
pinecone           pcsk_<50:w>
langsmith          lsv2_pt_<32:h>_<10:h>
langfuse           sk-lf-<8:h>-<4:h>-<4:h>-<4:h>-<12:h>
posthog            phx_<43:x>
wandb              <40:h>
github             ghp_<36:x>
github-fine        github_pat_<22:x>_<38:x>
gitlab             glpat-<20:w>
gitlab-deploy      gldt-<20:w>
gitlab-runner      glrt-<20:w>
bitbucket          ATBB<32:x>
atlassian          ATATT3<50:w>
slack-bot          xoxb-<12:d>-<12:d>-<24:x>
slack-old          xoxo-<12:d>-<24:x>
slack-refresh      xoxe.xoxp-1-<40:x>
slack-app          xapp-1-A<10:u>-<13:d>-<30:h>
discord            M<23:x>.<6:w>.<27:w>
telegram           <9:d>:AA<33:w>
stripe             sk_live_<24:x>
stripe-webhook     whsec_<32:x>
razorpay           rzp_live_<14:x>
square             sq0atp-<22:w>
shopify            shpat_<32:h>
twilio             SK<32:h>
sendgrid           SG.<22:w>.<32:w>
mailgun            key-<32:h>
mailchimp          <32:h>-us<2:d>
sendinblue         xkeysib-<40:h>-<16:x>
launchdarkly       sdk-<8:h>-<4:h>-<4:h>-<4:h>-<12:h>
launchdarkly-app   mob-<8:h>-<4:h>-<4:h>-<4:h>-<12:h>
pubnub             pub-c-<8:h>-<4:h>-<4:h>-<4:h>-<12:h>
pubnub-secret      sec-c-<48:x>
one-password       ops_eyJ<56:x>
digitalocean       dop_v1_<60:h>
databricks         dapi<32:h>
vault              hvs.<24:x>
terraform          <14:x>.atlasv1.<60:w>
tailscale          tskey-auth-<16:x>
planetscale        pscale_tkn_<32:w>
supabase           sbp_<40:h>
neon               napi_<48:l>
doppler            dp.st.dev.<40:x>
netlify            nfp_<36:x>
circleci           CCIPAT_<22:x>_<40:h>
buildkite          bkua_<40:h>
pulumi             pul-<40:h>
npm                npm_<36:x>
pypi               pypi-AgEI<60:w>
rubygems           rubygems_<48:h>
docker             dckr_pat_<27:w>
nuget              oy2<43:l>
artifactory        AKCp<60:x>
grafana            glsa_<32:x>_<8:h>
newrelic           NRAK-<27:u>
datadog            <40:h>
sentry             sntrys_<48:x>
dynatrace          dt0c01.<24:u>.<60:u>
linear             lin_api_<40:x>
notion             ntn_<46:x>
notion-old         secret_<43:x>
airtable           pat<14:x>.<64:h>
figma              figd_<40:w>
postman            PMAK-<24:h>-<34:h>
hubspot            pat-na1-<8:h>-<4:h>-<4:h>-<4:h>-<12:h>
mapbox             pk.eyJ<40:x>.<22:w>
facebook           EAAC<60:x>
yandex             AQVN<38:w>
alibaba            LTAI<20:x>
nocontent          nct_<12:h>_<43:w>
jwt                eyJ<20:x>.eyJ<30:x>.<30:w>
heroku             <8:h>-<4:h>-<4:h>-<4:h>-<12:h>
apify              apify_api_<36:x>
"""
# Keys without a maker's mark: only their letters tell.
_UNKNOWN = """
hex-16             <16:h>
hex-20             <20:h>
hex-24             <24:h>
hex-32-capitals    <32:H>
hex-by-4           <4:h>-<4:h>-<4:h>-<4:h>-<4:h>-<4:h>
hex-by-8           <8:h>-<8:h>-<8:h>-<8:h>
hex-dotted         <4:h>.<4:h>.<4:h>.<4:h>.<4:h>
hex-underscored    <8:h>_<8:h>_<8:h>
hex-coloned        <2:h>:<2:h>:<2:h>:<2:h>:<2:h>:<2:h>:<2:h>:<2:h>
uuid-without-marks <32:h>
small-16           <16:l>
small-20           <20:l>
small-24           <24:l>
small-by-4         <4:l>-<4:l>-<4:l>-<4:l>-<4:l>
small-by-8         <8:l>-<8:l>-<8:l>
small-by-5         <5:l>_<5:l>_<5:l>_<5:l>
small-dotted       <6:l>.<6:l>.<6:l>
letters-20         <20:a>
letters-24         <24:a>
letters-32         <32:a>
mixed-16           <16:x>
mixed-20           <20:x>
mixed-32           <32:x>
mixed-by-4         <4:x>-<4:x>-<4:x>-<4:x>-<4:x>
capitals-16        <16:u>
capitals-by-5      <5:u>-<5:u>-<5:u>-<5:u>
base32-26          <26:c>
behind-a-word      prod-<24:l>
behind-a-model     gpt-4o-<20:x>
before-a-word      <20:l>-staging
"""
_HOLE = re.compile(r"<(\d+):(\w)>")


def families(lines: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in lines.split("\n") if line)


KNOWN, UNKNOWN = families(_KNOWN), families(_UNKNOWN)


def made(name: str, template: str) -> Iterator[str]:
    """Yield keys of one family, the same in every run."""
    random = Random(f"12-{name}")

    def filled(hole: re.Match[str]) -> str:
        return "".join(random.choice(ALPHABETS[hole[2]]) for _ in range(int(hole[1])))

    for _ in range(PER_FAMILY):
        yield _HOLE.sub(filled, template)
