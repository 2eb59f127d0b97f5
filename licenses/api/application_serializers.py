from __future__ import annotations

from rest_framework import serializers

from licenses.models import Application, Channel
from teams.api.base import InputSerializer


class ApplicationSerializer(serializers.ModelSerializer[Application]):
    class Meta:
        model = Application
        fields = ["id", "name", "slug", "created_at"]
        read_only_fields = fields


class NewApplicationSerializer(InputSerializer):
    name = serializers.CharField(max_length=150)
    slug = serializers.CharField(max_length=64)


class ApplicationChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False)


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    class Meta:
        model = Channel
        fields = ["id", "name", "slug", "is_default", "created_at"]
        read_only_fields = fields


class NewChannelSerializer(InputSerializer):
    name = serializers.CharField(max_length=150)
    slug = serializers.CharField(max_length=64)
    is_default = serializers.BooleanField(default=False)


class ChannelChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False)
    is_default = serializers.BooleanField(required=False)
