from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('records', '0002_device'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='tag',
            name='tag_kind',
        ),
        migrations.AddConstraint(
            model_name='tag',
            constraint=models.CheckConstraint(condition=models.Q(('sample_kind__in', ['float64', 'int64', 'boolean', 'enumeration', 'text', 'blob', 'array'])), name='tag_kind'),
        ),
    ]
