-- What decisions need to know of each image that is asked for: who holds the credential that is
-- presented for it, the application, the holder's role in the application's team, and
-- the registries that the name may mean, with their credentials.
--
-- One row for each image and registry. Columns are NULL where nothing is found.
-- Registries are found in the holder's own team only. Nothing here decides: revoked
-- licenses, ended credentials, unshared registries and the like are found too, so that
-- the decision can say what is wrong. Each LATERAL has a LIMIT or OFFSET, which makes the
-- planner look rows up by their indexes, one image after the other, whatever it knows of
-- the tables' sizes.
-- The columns are those of `Row` in query.py.
SELECT
    ask.number, application.team_id,
    license.id, license.team_id, license.application_slug, license.expires_at,
    license.revoked_at, license.revoke_reason, license.customer_archived_at,
    license.id_version,
    license.previous_license_id_ends_at, license.by_old_id,
    pull.id, pull.name, pull.expires_at, pull.revoked_at, pull.networks,
    pull.last_used_at,
    trust.id, trust.label, trust.removed_at,
    token.id, token.team_id, token.kind, token.digest, token.present_role, token.read_only,
    token.expires_at, token.revoked_at, token.last_used_at, token.user_email,
    token.lacks_second_factor,
    person.id, member.role,
    registry.id, registry.team_id, registry.slug, registry.provider, registry.endpoint,
    registry.trusted_realm, registry.repository_patterns, registry.health,
    registry.created_at, registry.is_shared, registry.credential_id,
    registry.auth_type,
    CASE WHEN ask.with_secrets THEN registry.username END AS username,
    CASE WHEN ask.with_secrets THEN registry.secret END AS secret
FROM json_to_recordset(%(wanted)s::json) AS ask (
    number int, application text, upstream text, endpoint text, docker_hub text,
    license_digests text[], license_id uuid, pull_digests text[], pull_id uuid,
    identity_id uuid, token_key text, token_id uuid, user_id uuid, with_secrets bool
)
LEFT JOIN LATERAL (
    SELECT * FROM licenses_pullcredential
    WHERE digest = ANY(ask.pull_digests) OR id = ask.pull_id
    LIMIT 1
) pull ON TRUE
LEFT JOIN LATERAL (
    SELECT * FROM licenses_trustedidentity
    WHERE id = ask.identity_id
    LIMIT 1
) trust ON TRUE
LEFT JOIN LATERAL (
    SELECT
        held.*, own.slug AS application_slug,
        customer.archived_at AS customer_archived_at,
        held.previous_license_id_digest = ANY(ask.license_digests) AS by_old_id
    FROM licenses_license held
    JOIN licenses_application own ON own.id = held.application_id
    JOIN licenses_customer customer ON customer.id = held.customer_id
    WHERE held.license_id_digest = ANY(ask.license_digests)
       OR held.previous_license_id_digest = ANY(ask.license_digests)
       OR held.id IN (ask.license_id, pull.license_id, trust.license_id)
    LIMIT 1
) license ON TRUE
LEFT JOIN LATERAL (
    SELECT held.*, owner.email AS user_email,
        -- NULL for a person who is not an active member any more.
        CASE held.kind
            WHEN 'user' THEN joined.role
            WHEN 'service_account' THEN account.role
            ELSE held.role
        END AS present_role,
        owner.id IS NOT NULL AND team.require_second_factor AND NOT EXISTS (
            SELECT FROM mfa_authenticator
            WHERE user_id = owner.id AND type <> 'recovery_codes'
        ) AS lacks_second_factor
    FROM teams_apitoken held
    JOIN teams_team team ON team.id = held.team_id
    LEFT JOIN teams_serviceaccount account
        ON account.id = held.service_account_id AND account.team_id = held.team_id
    LEFT JOIN teams_user owner ON owner.id = held.user_id AND owner.is_active
    LEFT JOIN teams_membership joined
        ON joined.user_id = owner.id AND joined.team_id = held.team_id
    WHERE held.key = ask.token_key OR held.id = ask.token_id
    LIMIT 1
) token ON TRUE
LEFT JOIN LATERAL (
    SELECT id FROM teams_user
    WHERE id = ask.user_id AND is_active
    LIMIT 1
) person ON TRUE
LEFT JOIN LATERAL (
    SELECT * FROM licenses_application
    WHERE slug = ask.application AND archived_at IS NULL
    LIMIT 1
) application ON TRUE
LEFT JOIN LATERAL (
    SELECT joined.* FROM teams_membership joined
    JOIN teams_team team ON team.id = joined.team_id
    WHERE joined.user_id = person.id
      AND joined.team_id = application.team_id
      AND (NOT team.require_second_factor OR EXISTS (
          SELECT FROM mfa_authenticator
          WHERE user_id = person.id AND type <> 'recovery_codes'
      ))
    LIMIT 1
) member ON TRUE
LEFT JOIN LATERAL (
    SELECT
        found.*, credential.id AS credential_id, credential.auth_type,
        credential.username, credential.secret,
        found.shared_with_all OR EXISTS (
            SELECT FROM registries_registryshare
            WHERE registry_id = found.id AND application_id = application.id
        ) AS is_shared
    FROM registries_externalregistry found
    JOIN registries_credential credential
        ON credential.registry_id = found.id AND credential.active
    WHERE found.team_id = application.team_id
      AND found.team_id IN (license.team_id, token.team_id, member.team_id)
      AND (found.slug = ask.upstream
           OR found.endpoint IN (ask.endpoint, ask.docker_hub))
    OFFSET 0
) registry ON TRUE
