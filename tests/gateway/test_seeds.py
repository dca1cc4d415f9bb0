"""The examples of the hosted API's own guides, as they are printed there, host and placeholders aside."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from running import Running, running

ORIGIN = "https://treasuredemos.com"
HOST = "https://us01.p13n.in.treasuredata.com"

CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "guides",
    "identity": {"secret": "s", "lookup_key": "email", "keys": ["td_client_id", "email"]},
    "key_events": {
        "view": "your_database.pageviews",
        "result": "webpages.personalization_results",
        "page": "my_shop_db.event_table",
    },
    "attributes": {"tier": {"type": "imported", "dtype": "string", "sensitive": True}},
    "segments": {"1588214": "high loyalty"},
    "personalizations": {
        "all": {
            "sections": {
                "offer_for_high_loyalty": {
                    "on": ["view", "result"],
                    "payload": {"strings": {"status": "high"}, "segments": ["1588214"]},
                },
                "Welcome Banner": {
                    "on": "page",
                    "payload": {"strings": {"welcome_message": "Hello, new user!"}},
                },
                "Loyalty Discount": {"on": "page", "payload": {"attributes": {"membership_tier": "tier"}}},
            }
        }
    },
}

QUICKSTART = """
export DATABASE="your_database"
export TABLE="pageviews"
export API_KEY="1234/abcdefghijklmnopqrstuvwxyz"
export ACCOUNT_ID="12345"
export INSTANCE_ID="67890"
export TOKEN="abcdef123456"
curl -s -X POST "https://${BASE_URL}/${DATABASE}/${TABLE}" \\
--header 'Content-Type: application/vnd.treasuredata.v1+json' \\
--header "Authorization: TD1 ${API_KEY}" \\
--header "WP13n-Token: ${ACCOUNT_ID}/${INSTANCE_ID}/${TOKEN}" \\
--data '{
"td_client_id": "42a508e2-d9b1-4baa-9eb2-6c3fb8bd5e16",
"td_url": "https://example.com/retail",
"td_path": "/retail"
}'
"""

OLDER_QUICKSTART = """
curl -s --location '{baseURL}/webpages/personalization_results' \\
--header 'Content-Type: application/vnd.treasuredata.v1+json' \\
--header 'Authorization: TD1 {account_id}/{apikey}' \\
--header 'WP13n-Token: {account_id}/{instance_id}/{token}' \\
--data '{
            "email": "high_user@test.com"
}'
"""

BROWSER = """
fetch('https://us01.p13n.in.treasuredata.com/public/my_shop_db/event_table', {
  method: 'POST',
  headers: {
    'Content-Type': 'application/vnd.treasuredata.v1+json',
    'WP13n-Token': '12345/67890/PUBLIC_TOKEN_ABC',
    'Authorization': 'TD1 <WRITE API KEY>'
  },
  body: JSON.stringify({
    td_client_id: '1986b2a4-3957-4863-be2c-7ef36a14afee',
    td_url: window.location.href,
    td_path: window.location.pathname,
    product_name: 'women\u2019s-tank-top',
    product_category: 'women',
    product_list: ['women\u2019s-running-shoes', 'kids\u2019-hoodie', 'women\u2019s-tank-top'],
    category_list: ['women', 'kids']
    // ... any other non-sensitive fields you've configured
    })
  })
  .then(response => response.json())
  .then(data => {
    // Handle personalization offers here, e.g., update UI sections
    console.log('Personalization Offers:', JSON.stringify(data.offers));
});
"""

LAMBDA = """
const fetch = require("node-fetch");
exports.lambdaHandler = async (event) => {
try {
const tableName = event.pathParameters?.tableName || null;
const requestBody = event.body ? JSON.parse(event.body) : {};
if (!tableName) {
return { statusCode: 400, body: JSON.stringify({ error: "Missing tableName parameter" }) };
}
if (!requestBody.td_client_id) {
return { statusCode: 400, body: JSON.stringify({ error: "Missing td_client_id" }) };
}
const response = await fetch(`https://us01.p13n.in.treasuredata.com/{YOUR_DB_NAME}/${tableName}`, {
method: "POST",
headers: {
"Content-Type": "application/vnd.treasuredata.v1+json",
"Authorization": `TD1 ${process.env.TD_API_KEY}`,
"WP13n-Token": process.env.PERSONALIZATION_TOKEN
},
body: JSON.stringify(requestBody)
});
if (!response.ok) {
throw new Error(`Treasure Data API returned status: ${response.status}`);
}
const data = await response.json();
return { statusCode: 200, body: JSON.stringify(data) };
} catch (error) {
return { statusCode: 500, body: JSON.stringify({ error: error.message }) };
}
};
"""

HIGH = {
    "offers": {
        "offer_for_high_loyalty": {"attributes": {"status": "high"}, "batch_segments": [{"id": "1588214"}]}
    }
}


@pytest.fixture(scope="module")
def guide() -> Iterator[Running]:
    """Give a server whose keys and tokens are those of the guides; the customer is in the segment."""
    services: list[dict[str, Any]] = [
        {"name": "a", "tokens": [{"name": "t", "value": "abcdef123456"}]},
        {
            "name": "b",
            "public": True,
            "origins": [ORIGIN],
            "tokens": [{"name": "t", "value": "PUBLIC_TOKEN_ABC"}],
        },
    ]
    keys = [{"value": "1234/abcdefghijklmnopqrstuvwxyz", "account": 12345}]
    with running(config=CONFIG, instance=67890, services=services, api_keys=keys) as server:
        engine = server.gateway.engine
        assert engine is not None
        rows = [{"email": "high_user@test.com", "td_client_id": "42a508e2-d9b1-4baa-9eb2-6c3fb8bd5e16"}]
        engine.import_batch([{**row, "segments": ["1588214"]} for row in rows])
        yield server


def ran(command: list[str], text: str, **environment: str) -> str:
    """Run a program on a text, and return what it prints."""
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [program, *command[1:], text], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    return done.stdout


def test_the_quickstarts(guide: Running) -> None:
    """curl, with the answer that the page shows."""
    path = "/usr/bin:/bin"
    newer = QUICKSTART.replace("https://${BASE_URL}", f"http://127.0.0.1:{guide.port}")
    assert json.loads(ran(["bash", "-c"], newer, PATH=path)) == HIGH
    older = OLDER_QUICKSTART
    for placeholder, value in {
        "{baseURL}": f"http://127.0.0.1:{guide.port}",
        "{account_id}/{apikey}": "1234/abcdefghijklmnopqrstuvwxyz",
        "{account_id}/{instance_id}/{token}": "12345/67890/abcdef123456",
    }.items():
        older = older.replace(placeholder, value)
    assert json.loads(ran(["bash", "-c"], older, PATH=path)) == HIGH


def test_an_account_that_differs(guide: Running) -> None:
    """The same quickstart, where the key is of the account that it names: 3002."""
    with running(api_keys=["1234/abcdefghijklmnopqrstuvwxyz"], config=CONFIG, instance=67890) as server:
        script = QUICKSTART.replace("https://${BASE_URL}", f"http://127.0.0.1:{server.port}")
        assert json.loads(ran(["bash", "-c"], script, PATH="/usr/bin:/bin"))["code"] == 3002


def test_the_browser_example(guide: Running) -> None:
    """`fetch` of a page; the runtime stands in for the browser, which adds the origin by itself."""
    stage = f"""
const real = fetch;
globalThis.window = {{location: {{href: "{ORIGIN}/retail", pathname: "/retail"}}}};
const added = (options) => ({{...options, headers: {{...options.headers, Origin: "{ORIGIN}"}}}});
globalThis.fetch = (url, options) => real(url, added(options));
"""
    example = BROWSER.replace(HOST, f"http://127.0.0.1:{guide.port}")
    example = example.replace("<WRITE API KEY>", "1234/abcdefghijklmnopqrstuvwxyz")
    printed = ran(["node", "-e"], stage + example, PATH="/usr/bin:/bin")
    assert printed.startswith("Personalization Offers: ")
    offers = json.loads(printed.partition(": ")[2])
    assert offers == {
        "Welcome Banner": {"attributes": {"welcome_message": "Hello, new user!"}, "batch_segments": None},
        "Loyalty Discount": {},
    }


def test_the_lambda_example(guide: Running) -> None:
    """The server-side function, called as its gateway calls it."""
    body = {"td_client_id": "42a508e2-d9b1-4baa-9eb2-6c3fb8bd5e16", "td_path": "/retail"}
    event = {"pathParameters": {"tableName": "pageviews"}, "body": json.dumps(body)}
    example = LAMBDA.replace(HOST, f"http://127.0.0.1:{guide.port}").replace(
        "{YOUR_DB_NAME}", "your_database"
    )
    script = (
        f"(function (require, exports) {{{example}\n"
        f"exports.lambdaHandler({json.dumps(event)}).then((answer) => console.log(JSON.stringify(answer)));"
        "})(() => globalThis.fetch, {});"
    )
    printed = ran(
        ["node", "-e"],
        script,
        PATH="/usr/bin:/bin",
        TD_API_KEY="1234/abcdefghijklmnopqrstuvwxyz",
        PERSONALIZATION_TOKEN="12345/67890/abcdef123456",
    )
    answer = json.loads(printed)
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, HIGH)
