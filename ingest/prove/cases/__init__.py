"""The families of cases, each a way to get content in; `families` names them all."""
