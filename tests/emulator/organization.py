"""Builds an organisation on moto: units, and in them accounts that hold to the guide or break it.

    python organization.py --endpoint-url URL --management 111111111111 --plan JSON

The plan has the regions, and of each account its name, its unit (a path such as `prod/eu`; the root without), its
tags, what it breaks, and whether it is closed:

    {"regions": ["us-east-1"],
     "accounts": [{"name": "web", "unit": "prod/eu", "tags": {"env": "prod"}, "break": ["kms-rotation-enabled"]},
                  {"name": "old", "close": true}]}

Prints JSON: the units' ids by path, and of each account its id and what was broken.
"""

import argparse
import json
import sys

from accounts import Clients, compliant, tag_list
from breakages import BREAKAGES


def build(clients: Clients, management: str, plan: dict) -> dict:
    organizations = clients.get(management, "organizations", "us-east-1")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    units = {"": root}
    made = {management: {"name": "management", "broken": seed(clients, management, plan, [])}}
    for account in plan["accounts"]:
        organizations = clients.get(management, "organizations", "us-east-1")
        status = organizations.create_account(
            AccountName=account["name"],
            Email=f"{account['name']}@example.org",
            Tags=tag_list(account.get("tags", {})),
        )
        number = status["CreateAccountStatus"]["AccountId"]
        unit = find_unit(organizations, units, account.get("unit", ""))
        if unit != root:
            organizations.move_account(AccountId=number, SourceParentId=root, DestinationParentId=unit)
        if account.get("close"):
            organizations.close_account(AccountId=number)
            made[number] = {"name": account["name"], "closed": True}
            continue
        made[number] = {"name": account["name"], "broken": seed(clients, number, plan, account.get("break", []))}
    return {"management": management, "units": units, "accounts": made}


def find_unit(organizations, units: dict, path: str) -> str:
    if path not in units:
        parent, _, name = path.rpartition("/")
        parent = find_unit(organizations, units, parent)
        units[path] = organizations.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]["Id"]
    return units[path]


def seed(clients: Clients, number: str, plan: dict, breaks: list) -> dict:
    """Builds the account, unless the plan says that only the organisation matters."""
    if plan.get("empty"):
        return {}
    account = compliant(clients, number, plan["regions"])
    return {name: BREAKAGES[name](account.regions[0]) for name in breaks}


def main() -> None:
    parser = argparse.ArgumentParser(description="builds an organisation on an AWS-compatible server")
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--management", required=True)
    parser.add_argument("--plan", required=True, type=json.loads)
    args = parser.parse_args()
    json.dump(build(Clients(args.endpoint_url.rstrip("/")), args.management, args.plan), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
