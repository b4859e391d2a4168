#!/bin/sh
# Builds the image with the builder that is installed, and prints the line for the overlays: image.sh NAME [push]
set -eu
cd "$(dirname "$0")/.."
name=$1 push=${2:-}

for engine in podman docker buildah none; do
  case $engine in
    docker) if docker info >/dev/null 2>&1; then break; fi ;;
    none) echo "make image: neither podman nor buildah is here, nor a docker that answers" >&2; exit 1 ;;
    *) if command -v "$engine" >/dev/null; then break; fi ;;
  esac
done

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
echo "building $name, nocontent $version at $revision, with $engine ..."
# shellcheck disable=SC2086 # BUILD_FLAGS are several words.
$engine build --file Containerfile --tag "$name" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  ${BASE:+--build-arg "BASE=$BASE"} ${BUILD_FLAGS:-} .

if [ "$push" != push ]; then
  echo "built $name. Its digest is the registry's to give: make image IMAGE=REGISTRY/nocontent:$version PUSH=1"
  exit 0
fi
if [ "$engine" = docker ]; then
  docker push "$name"
  digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$name" | sed 's/.*@//')
else
  file=$(mktemp)
  $engine push --digestfile "$file" "$name"
  digest=$(cat "$file")
  rm -f "$file"
fi
echo "pushed. In the overlay: kustomize edit set image nocontent=${name%:*}@$digest"
