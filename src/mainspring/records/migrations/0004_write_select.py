import django.db.models.deletion
import mainspring.core.ids
import mainspring.records.tenant
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('records', '0003_array_tags'),
    ]

    operations = [
        migrations.AddField(
            model_name='tag',
            name='write_policy',
            field=models.JSONField(null=True),
        ),
        migrations.AlterField(
            model_name='commandrecord',
            name='connection',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='commandrecord',
            name='second',
            field=models.UUIDField(null=True),
        ),
        migrations.CreateModel(
            name='CommandedTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ordinal', models.PositiveBigIntegerField()),
                ('command', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tags', to='records.commandrecord')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='records.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'ordinal'], name='commanded_tag')],
            },
        ),
        migrations.CreateModel(
            name='Reservation',
            fields=[
                ('id', models.UUIDField(default=mainspring.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=1)),
                ('created_ms', models.BigIntegerField(default=mainspring.records.tenant.now_ms, editable=False)),
                ('changed_ms', models.BigIntegerField(default=mainspring.records.tenant.now_ms, editable=False)),
                ('selection', models.UUIDField()),
                ('pseudonym', models.UUIDField()),
                ('expires_ms', models.BigIntegerField()),
                ('tag', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='reservation', to='records.tag')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='records.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'selection'], name='reservation_selection')],
            },
        ),
    ]
